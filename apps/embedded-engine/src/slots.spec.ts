import { describe, expect, it } from '@jest/globals'
import type { LlamaSequence } from './llama-runtime.ts'
import { createSlots, type Acquired, type Slot } from './slots.ts'

const sequence = {} as LlamaSequence
const staying = new AbortController().signal
const slotOf = (acquired: Acquired): Slot => (acquired as { slot: Slot }).slot

describe('slots', () => {
  it('go to those who wait in the order they came', async () => {
    const slots = createSlots([sequence], 2)
    const first = slotOf(await slots.acquire(staying))
    const order: string[] = []
    const second = slots.acquire(staying).then(slotOf)
    const third = slots.acquire(staying).then(slotOf)
    void second.then(() => order.push('second'))
    void third.then(() => order.push('third'))
    slots.release(first)
    slots.release(await second)
    await third
    expect(order).toEqual(['second', 'third'])
    expect(slots.busyCount).toBe(1)
  })

  it('are refused beyond the queue', async () => {
    const slots = createSlots([sequence], 1)
    await slots.acquire(staying)
    void slots.acquire(staying)
    expect(await slots.acquire(staying)).toEqual({ kind: 'full' })
    expect(slots.waitingCount).toBe(1)
  })

  it('are not given to a client that left the queue', async () => {
    const slots = createSlots([sequence], 1)
    const first = slotOf(await slots.acquire(staying))
    const leaving = new AbortController()
    const waiting = slots.acquire(leaving.signal)
    leaving.abort()
    expect(await waiting).toEqual({ kind: 'gone' })
    slots.release(first)
    expect([slots.busyCount, slots.waitingCount]).toEqual([0, 0])
  })

  it('send everyone away when closed', async () => {
    const slots = createSlots([sequence], 1)
    await slots.acquire(staying)
    const waiting = slots.acquire(staying)
    slots.close()
    expect(await waiting).toEqual({ kind: 'closed' })
    expect(await slots.acquire(staying)).toEqual({ kind: 'closed' })
  })
})
