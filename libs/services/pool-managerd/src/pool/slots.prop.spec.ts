import { expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createSlots } from './slots.ts'

const lease = { leaseId: 'l', modelId: 'm', abort: () => {} }

it('counts are never negative, never above the total, and every slot comes back once [002-14a, 002-14a2, 002-27a2]', () => {
  const act = fc.oneof(
    fc.record({ kind: fc.constant('take' as const) }),
    fc.record({ kind: fc.constant('release' as const), index: fc.nat(20) }),
    fc.record({ kind: fc.constant('resize' as const), total: fc.integer({ min: 1, max: 8 }) }),
  )
  fc.assert(
    fc.property(fc.array(act, { maxLength: 100 }), (acts) => {
      const slots = createSlots(4, () => {})
      const releases: (() => void)[] = []
      const held = new Set<number>()
      for (const next of acts) {
        const before = { active: slots.active, free: slots.free, total: slots.total }
        switch (next.kind) {
          case 'take': {
            const release = slots.take({ ...lease })
            expect(release !== undefined).toBe(before.active < before.total)
            if (release) held.add(releases.push(release) - 1)
            break
          }
          case 'release':
            // Twice is once.
            releases[next.index]?.()
            releases[next.index]?.()
            held.delete(next.index)
            break
          case 'resize':
            slots.resize(next.total)
        }
        expect(slots.active).toBe(held.size)
        expect(slots.free).toBe(Math.max(0, slots.total - held.size))
      }
    }),
  )
})

it('tells that it is idle once the last slot is given back', async () => {
  const slots = createSlots(2, () => {})
  const first = slots.take({ ...lease })
  const second = slots.take({ ...lease })
  let isIdle = false
  slots.whenIdle(() => (isIdle = true))
  first?.()
  expect(isIdle).toBe(false)
  second?.()
  expect(isIdle).toBe(true)
})
