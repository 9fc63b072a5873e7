import { describe, expect, it } from '@jest/globals'
import { createInbox, RECEIVE_HIGH_WATER } from './inbox.ts'

const start = () => {
  const calls: string[] = []
  const inbox = createInbox<number>({
    pause: () => calls.push('pause'),
    resume: () => calls.push('resume'),
  })
  return { inbox, reader: inbox[Symbol.asyncIterator](), calls }
}

describe('inbox', () => {
  it('gives messages in order, whether they came before or after the read', async () => {
    const { inbox, reader } = start()
    inbox.push(1)
    inbox.push(2)
    expect([await reader.next(), await reader.next()]).toEqual([
      { done: false, value: 1 },
      { done: false, value: 2 },
    ])
    const third = reader.next()
    inbox.push(3)
    await expect(third).resolves.toEqual({ done: false, value: 3 })
  })

  it('pauses its source when full and resumes it when empty, not earlier', async () => {
    const { inbox, reader, calls } = start()
    for (let n = 0; n < RECEIVE_HIGH_WATER - 1; n++) inbox.push(n)
    expect(calls).toEqual([])
    inbox.push(RECEIVE_HIGH_WATER)
    expect(calls).toEqual(['pause'])
    for (let n = 0; n < RECEIVE_HIGH_WATER - 1; n++) await reader.next()
    expect(calls).toEqual(['pause'])
    await reader.next()
    expect(calls).toEqual(['pause', 'resume'])
  })

  it('ends after what is queued', async () => {
    const { inbox, reader } = start()
    inbox.push(1)
    inbox.end()
    inbox.push(2)
    await expect(reader.next()).resolves.toEqual({ done: false, value: 1 })
    await expect(reader.next()).resolves.toEqual({ done: true, value: undefined })
  })

  it('fails after what is queued, and a later end changes nothing', async () => {
    const { inbox, reader } = start()
    inbox.push(1)
    inbox.fail(new Error('broken'))
    inbox.end()
    await expect(reader.next()).resolves.toEqual({ done: false, value: 1 })
    await expect(reader.next()).rejects.toThrow('broken')
  })

  it('wakes a waiting reader with the failure', async () => {
    const { inbox, reader } = start()
    const waiting = reader.next()
    inbox.fail(new Error('broken'))
    await expect(waiting).rejects.toThrow('broken')
  })
})
