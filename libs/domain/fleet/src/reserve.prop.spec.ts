import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { PoolId } from '@berth/kernel'
import { createFleetView, type FleetView } from './fleet-view.ts'
import { foldSnapshot } from './fold-snapshot.ts'
import { DEFAULT_FRESHNESS, expireHosts } from './freshness.ts'
import { release, reserve, reserveInUse, slotsFree } from './reserve.ts'
import { hostSnapshot, poolSnapshot } from './testing/index.ts'

const POOLS = ['p1', 'p2', 'p3'] as PoolId[]

const stepArbitrary = fc.oneof(
  fc.record({
    kind: fc.constant('snapshot' as const),
    host: fc.constantFrom('h1', 'h2'),
    epoch: fc.integer({ min: 1, max: 3 }),
    revision: fc.integer({ min: 1, max: 9 }),
    pools: fc.uniqueArray(fc.constantFrom(...POOLS)),
    slots: fc.integer({ min: 0, max: 3 }),
    models: fc.uniqueArray(fc.constantFrom('a', 'b')),
  }),
  fc.record({
    kind: fc.constantFrom('reserve' as const, 'in-use' as const, 'release' as const),
    pool: fc.constantFrom(...POOLS),
  }),
  fc.record({ kind: fc.constant('silence' as const) }),
)
type Step = typeof stepArbitrary extends fc.Arbitrary<infer T> ? T : never

const run = (view: FleetView, steps: readonly Step[], check: () => void) => {
  const held = new Map<PoolId, number>()
  let now = 0
  for (const step of steps) {
    switch (step.kind) {
      case 'snapshot': {
        const pools = step.pools.map((poolId) =>
          poolSnapshot(poolId, { slotsTotal: step.slots, models: step.models }),
        )
        const { epoch, revision } = step
        foldSnapshot(view, hostSnapshot(step.host, pools, { epoch, revision }), now)
        break
      }
      case 'reserve': {
        const pool = view.pools.get(step.pool)
        const free = pool ? slotsFree(pool) : 0
        expect(reserve(view, step.pool)).toBe(free > 0)
        if (free > 0) held.set(step.pool, (held.get(step.pool) ?? 0) + 1)
        break
      }
      case 'in-use':
        reserveInUse(view, step.pool)
        held.set(step.pool, (held.get(step.pool) ?? 0) + 1)
        break
      case 'release':
        if (!held.get(step.pool)) break
        release(view, step.pool)
        held.set(step.pool, held.get(step.pool)! - 1)
        break
      case 'silence':
        expireHosts(view, DEFAULT_FRESHNESS, (now += 40_000))
        break
    }
    for (const poolId of POOLS) {
      expect(view.reservations.get(poolId) ?? 0).toBe(held.get(poolId) ?? 0)
    }
    check()
  }
}

describe('reservations', () => {
  it('[002-14a2] count exactly what is held and are never negative, whatever the snapshots say', () => {
    fc.assert(
      fc.property(fc.array(stepArbitrary, { maxLength: 60 }), (steps) => {
        const view = createFleetView()
        run(view, steps, () => {
          for (const pool of view.pools.values()) {
            expect(pool.reserved).toBe(view.reservations.get(pool.poolId) ?? 0)
            expect(slotsFree(pool)).toBeGreaterThanOrEqual(0)
          }
        })
      }),
    )
  })

  it('leave the index of models telling the same as the pools', () => {
    fc.assert(
      fc.property(fc.array(stepArbitrary, { maxLength: 60 }), (steps) => {
        const view = createFleetView()
        run(view, steps, () => {
          const listed = [...view.pools.values()].flatMap((pool) =>
            [...pool.residencies.keys()].map((modelId) => `${modelId} ${pool.poolId}`),
          )
          const indexed = [...view.poolsOfModel].flatMap(([modelId, pools]) =>
            pools.map((pool) => `${modelId} ${pool.poolId}`),
          )
          expect(indexed.sort()).toEqual(listed.sort())
          const owned = [...view.hosts.values()].flatMap((host) => [...host.pools.values()])
          expect(new Set(owned)).toEqual(new Set(view.pools.values()))
        })
      }),
    )
  })

  it('throw when a slot is released that was not reserved', () => {
    expect(() => release(createFleetView(), POOLS[0]!)).toThrow('not reserved')
  })
})
