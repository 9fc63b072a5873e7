import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { CoreEvent } from './core-event.ts'
import { createFleetWorld, type FleetWorld } from './testing/fleet-world.ts'
import type { Rig } from './testing/rig.ts'

const of = <Kind extends string>(kind: Kind) => fc.constant(kind)
const gw = fc.nat(1)
const poolAt = fc.nat(2)
const at = fc.nat(5)
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: of('acquire'), gw, isCharged: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: of('read'), gw }) },
  { weight: 5, arbitrary: fc.record({ kind: of('release'), gw, at }) },
  { weight: 2, arbitrary: fc.record({ kind: of('cancel'), gw, at }) },
  { weight: 2, arbitrary: fc.record({ kind: of('slots'), poolAt, slotsTotal: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: of('instance'), poolAt }) },
  { weight: 1, arbitrary: fc.record({ kind: of('drain'), poolAt, isDraining: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: of('disconnect'), gw, isNoticed: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: of('connect'), gw }) },
  { weight: 1, arbitrary: fc.record({ kind: of('fail_over') }) },
  { weight: 3, arbitrary: fc.record({ kind: of('store') }) },
  { weight: 2, arbitrary: fc.record({ kind: of('pass'), ms: fc.constantFrom(200, 1_000, 3_200) }) },
)
const steps = fc.array(step, { minLength: 5, maxLength: 40, size: 'max' })
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

const play = async (world: FleetWorld, one: Step) => {
  const gateway = world.gateways['gw' in one ? one.gw : 0]!
  switch (one.kind) {
    case 'acquire':
      return world.acquire(gateway, one.isCharged)
    case 'read':
      return world.read(gateway)
    case 'release': {
      const leaseId = [...gateway.leases.keys()][one.at]
      return leaseId && world.release(gateway, leaseId)
    }
    case 'cancel': {
      const waiting = [...gateway.jobs.values()].filter(({ fate }) => fate === 'waiting')
      return waiting[one.at] && world.cancel(gateway, waiting[one.at]!.jobId)
    }
    case 'slots':
      return change(world, one.poolAt, { slotsTotal: one.slotsTotal })
    case 'instance':
      return change(world, one.poolAt, 'restarted')
    case 'drain':
      return change(world, one.poolAt, { isDraining: one.isDraining })
    case 'disconnect':
      return world.disconnect(gateway, one.isNoticed)
    case 'connect':
      return world.connect(gateway)
    case 'fail_over':
      return expect(world.failOver()).toEqual([])
    case 'store':
      return world.rig().settleStore()
    case 'pass':
      return world.pass(one.ms)
  }
}

type Facts = { readonly slotsTotal: number } | { readonly isDraining: boolean } | 'restarted'

const change = (world: FleetWorld, at: number, facts: Facts) => {
  const all = world.hosts.flatMap((host) => host.pools.map((pool) => ({ host, pool })))
  const { host, pool } = all[at]!
  world.change(host, pool, facts === 'restarted' ? { instance: pool.instance + 1 } : facts)
}

/** Nobody is away and every pool serves: whatever waits gets its turn. */
const finish = async (world: FleetWorld) => {
  for (const at of [0, 1, 2]) {
    change(world, at, { slotsTotal: 2 })
    change(world, at, { isDraining: false })
  }
  world.gateways.forEach(world.connect)
  for (let round = 0; round < 25; round++) {
    world.rig().settleStore()
    for (const gateway of world.gateways) {
      world.read(gateway)
      for (const leaseId of gateway.leases.keys()) world.release(gateway, leaseId)
    }
    await world.pass(200)
  }
}

/** What must hold whenever core gives a slot away. */
const checkGrant = (event: CoreEvent, { coordinator }: Rig) => {
  if (event.kind !== 'job_ended' || event.outcome !== 'dispatched') return
  const { core } = coordinator
  const pool = core.view.pools.get(event.poolId!)!
  expect(core.leases.byPool.get(pool.poolId)!.size).toBeLessThanOrEqual(pool.snapshot.slotsTotal)
  expect(pool.snapshot.isDraining).toBe(false)
}

/** What must hold between any two steps: every count is of what it says. */
const checkBooks = ({ coordinator }: Rig) => {
  const { queue, leases, view, gateways } = coordinator.core
  const waiting = [...gateways.values()].reduce((all, gateway) => all + gateway.waiting, 0)
  expect(waiting).toBe(queue.jobs.size)
  for (const { poolId, reserved } of view.pools.values()) {
    expect(reserved).toBe(leases.byPool.get(poolId)?.size ?? 0)
  }
}

/** Plays all steps to the end and returns everything that gateways were told, in its order. */
const run = async (played: readonly Step[]) => {
  const world = createFleetWorld(checkGrant)
  for (const one of played) {
    await play(world, one)
    checkBooks(world.rig())
  }
  await finish(world)
  return world
}

describe('a leader, whatever comes between an acquire and its end', () => {
  it('[004-25a] gives no slot away twice, and every job exactly one outcome', async () => {
    const fates = new Set<string>()
    await fc.assert(
      fc.asyncProperty(steps, async (played) => {
        const world = await run(played)
        const jobs = world.gateways.flatMap((gateway) => [...gateway.jobs.values()])
        for (const { fate } of jobs) fates.add(fate)
        expect(jobs.filter(({ fate }) => fate === 'waiting')).toEqual([])
        expect(world.unbalanced()).toEqual([])
        const { queue, leases, ledger } = world.rig().coordinator.core
        expect([queue.jobs.size, leases.byId.size, ledger.held.size]).toEqual([0, 0, 0])
        expect([ledger.byJob.size, ledger.byLease.size]).toEqual([0, 0])
      }),
      { numRuns: 80 },
    )
    expect([...fates].sort()).toEqual(['assigned', 'cancelled', 'rejected'])
  })

  it('says the same again when the same happens again', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (played) => {
        const [once, again] = [await run(played), await run(played)]
        expect(again.trace).toEqual(once.trace)
      }),
      { numRuns: 20 },
    )
  })
})
