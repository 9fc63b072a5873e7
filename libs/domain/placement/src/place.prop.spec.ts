import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createFleetView, foldSnapshot, markKeyed, reserve, slotsFree } from '@berth/fleet'
import { hostSnapshot, poolSnapshot } from '@berth/fleet/testing'
import type { HostId, PoolId } from '@berth/kernel'
import { explain } from './explain.ts'
import { place } from './place.ts'
import { DEFAULT_PLACEMENT_POLICY as POLICY } from './placement-policy.ts'
import { plainJob } from './testing/job.ts'

const POOL_IDS = Array.from({ length: 8 }, (_, n) => `pool-${n}`)

const poolArbitrary = fc.record({
  isReady: fc.boolean(),
  isDraining: fc.boolean(),
  slotsTotal: fc.integer({ min: 0, max: 3 }),
  taken: fc.integer({ min: 0, max: 3 }),
  contextLength: fc.constantFrom(0, 100, 1_000),
  vramFreeBytes: fc.constantFrom(1, 2),
  models: fc.constantFrom(['m'], ['x'], ['x', 'm']),
  performance: fc.constantFrom(
    { tokensPerS: 10, firstTokenMs: 100, samples: 1 },
    { tokensPerS: 20, firstTokenMs: 100, samples: 1 },
  ),
})

const fleetArbitrary = fc.array(poolArbitrary, { maxLength: POOL_IDS.length })
type Fleet = typeof fleetArbitrary extends fc.Arbitrary<infer T> ? T : never

const jobArbitrary = fc.record({
  requiredCtx: fc.constantFrom(0, 500),
  preferPools: fc.constantFrom([], [POOL_IDS[1] as PoolId]),
  allowFallback: fc.boolean(),
  avoidPools: fc.constantFrom([], [POOL_IDS[2] as PoolId]),
  pin: fc.constantFrom({}, {}, { pinPoolId: POOL_IDS[0] as PoolId }),
  route: fc.constantFrom('/v1/chat/completions', '/v1/embeddings'),
})

const build = (pools: Fleet, order: readonly number[]) => {
  const view = createFleetView()
  for (const at of order) {
    const { taken, ...draft } = pools[at]!
    const hostId = `h${at}`
    foldSnapshot(view, hostSnapshot(hostId, [poolSnapshot(POOL_IDS[at]!, draft)]), 0)
    markKeyed(view, hostId as HostId, 1)
    for (let slot = 0; slot < taken; slot++) reserve(view, POOL_IDS[at] as PoolId)
  }
  return view
}

/** A fleet and two orders in which core may have heard of its hosts. */
const twoOrders = fleetArbitrary.chain((pools) => {
  const all = pools.map((_, at) => at)
  const shuffled = fc.shuffledSubarray(all, { minLength: all.length })
  return fc.record({ pools: fc.constant(pools), a: fc.constant(all), b: shuffled })
})

const jobOf = ({ pin, ...draft }: JobDraft) => plainJob({ ...draft, ...pin })
type JobDraft = typeof jobArbitrary extends fc.Arbitrary<infer T> ? T : never

describe('place', () => {
  it('gives the same answer for any order of the pools', () => {
    fc.assert(
      fc.property(twoOrders, jobArbitrary, ({ pools, a, b }, draft) => {
        const [first, second] = [a, b].map((order) => {
          const decision = place(build(pools, order), jobOf(draft), POLICY, 0)
          return decision.kind === 'assigned' ? decision.pool.poolId : decision
        })
        expect(second).toEqual(first)
      }),
    )
  })

  it('[003-FR-049, 003-AC-041] never chooses a pool that is unready, drains, is full or is too small', () => {
    fc.assert(
      fc.property(twoOrders, jobArbitrary, ({ pools, a }, draft) => {
        const decision = place(build(pools, a), jobOf(draft), POLICY, 0)
        fc.pre(decision.kind === 'assigned')
        const { snapshot } = decision.pool
        expect([snapshot.isReady, snapshot.isDraining]).toEqual([true, false])
        expect(slotsFree(decision.pool)).toBeGreaterThan(0)
        expect(snapshot.contextLength || Infinity).toBeGreaterThanOrEqual(draft.requiredCtx)
        expect(draft.avoidPools).not.toContain(decision.pool.poolId)
      }),
    )
  })

  it('assigns exactly when explain knows a feasible pool, and then the first of its list', () => {
    fc.assert(
      fc.property(twoOrders, jobArbitrary, ({ pools, a }, draft) => {
        const view = build(pools, a)
        const { candidates } = explain(view, jobOf(draft), POLICY, 0)
        const decision = place(view, jobOf(draft), POLICY, 0)
        const best = candidates[0]?.reason === 'FEASIBLE' ? candidates[0].poolId : undefined
        expect(decision.kind === 'assigned' ? decision.pool.poolId : undefined).toBe(best)
      }),
    )
  })

  it('never tells a waiting job that it can start now', () => {
    fc.assert(
      fc.property(twoOrders, jobArbitrary, ({ pools, a }, draft) => {
        const decision = place(build(pools, a), jobOf(draft), POLICY, 0)
        fc.pre(decision.kind === 'wait')
        expect(decision.predictedStartMs).toBeGreaterThan(0)
      }),
    )
  })
})
