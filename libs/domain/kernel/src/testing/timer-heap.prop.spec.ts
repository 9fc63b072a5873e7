import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createTimerHeap, type Timer } from './timer-heap.ts'

const draft = fc.record({ at: fc.integer({ min: 0, max: 20 }), isDisarmed: fc.boolean() })

describe('the timers of the simulated clock', () => {
  it('come out by time, then by arming order, without those that were disarmed', () => {
    fc.assert(
      fc.property(fc.array(draft, { maxLength: 60 }), (drafts) => {
        const heap = createTimerHeap()
        const timers = drafts.map(({ at }, order): Timer => {
          return { at, order, fn: () => undefined, isArmed: true }
        })
        timers.forEach((timer) => heap.add(timer))
        timers.forEach((timer, i) => {
          if (drafts[i]!.isDisarmed) heap.disarm(timer)
        })
        const left = timers.filter(({ isArmed }) => isArmed)
        expect(heap.armed).toBe(left.length)
        const out: Timer[] = []
        for (let next = heap.earliest(); next; next = heap.earliest()) {
          heap.disarm(next)
          out.push(next)
        }
        expect(out).toEqual(left.sort((a, b) => a.at - b.at || a.order - b.order))
        expect(heap.armed).toBe(0)
      }),
    )
  })
})
