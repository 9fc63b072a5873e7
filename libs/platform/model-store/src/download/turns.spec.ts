import { describe, expect, it } from '@jest/globals'
import { createTurns } from './turns.ts'

const signal = new AbortController().signal

describe('turns', () => {
  it('are never more than allowed, and are taken in order', async () => {
    const turns = createTurns(2)
    const began: number[] = []
    let running = 0
    let most = 0
    const work = async (name: number) => {
      const leave = await turns.take(signal)
      began.push(name)
      most = Math.max(most, ++running)
      await new Promise((resolve) => setImmediate(resolve))
      running--
      leave()
    }
    await Promise.all([1, 2, 3, 4, 5].map(work))
    expect(most).toBe(2)
    expect(began).toEqual([1, 2, 3, 4, 5])
  })

  it('are not waited for after a signal, and not lost', async () => {
    const turns = createTurns(1)
    const leave = await turns.take(signal)
    const leaving = new AbortController()
    const waiting = turns.take(leaving.signal)
    const next = turns.take(signal)
    leaving.abort(new Error('left'))
    await expect(waiting).rejects.toThrow('left')
    leave()
    const leaveNext = await next
    leaveNext()
    const leaveLast = await turns.take(signal)
    leaveLast()
  })
})
