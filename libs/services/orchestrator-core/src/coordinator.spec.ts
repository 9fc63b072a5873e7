import { describe, expect, it } from '@jest/globals'
import type { InstanceId, JobId, LeaseId, ModelId, PoolId } from '@berth/kernel'
import { ask, completed, createRig, liveLease, pool, type Rig } from './testing/rig.ts'

const P1 = 'p1' as PoolId

/** One host, one pool, one gateway on session 1. */
const small = (slotsTotal = 1, policy = {}): Rig => {
  const rig = createRig(policy)
  rig.joinHost('h1', [pool('p1', { slotsTotal })])
  rig.joinGateway(1, 'gw')
  rig.take(1)
  return rig
}
const assigned = (rig: Rig, session = 1) => {
  const signals = rig.take(session).filter((signal) => signal.kind === 'assigned')
  expect(signals).toHaveLength(1)
  return signals[0]!
}
const outcomes = (rig: Rig) =>
  rig.events.flatMap((event) => (event.kind === 'job_ended' ? [event.outcome] : []))
const reserved = (rig: Rig) => rig.coordinator.core.view.pools.get(P1)?.reserved

describe('a job', () => {
  it('gets a free slot at once, with everything the ingress asks for', () => {
    const rig = small()
    rig.coordinator.onAcquire(1, ask('j1'))
    expect(assigned(rig)).toMatchObject({
      jobId: 'j1',
      poolId: 'p1',
      instanceId: 'p1-1',
      ingressAddress: 'h1:7081',
      token: 'token p1 1',
      epoch: 1,
      term: 1,
      queuedMs: 0,
    })
    expect(reserved(rig)).toBe(1)
  })

  it('waits for a slot, is told its place, and gets the slot when it is released', async () => {
    const rig = small()
    rig.coordinator.onAcquire(1, ask('j1'))
    const { leaseId } = assigned(rig)
    rig.coordinator.onAcquire(1, ask('j2'))
    rig.coordinator.onAcquire(1, ask('j3'))
    expect(rig.take(1)).toMatchObject([
      { kind: 'queued', jobId: 'j2', position: 1, reason: 'NO_CAPACITY' },
      { kind: 'queued', jobId: 'j3', position: 2, reason: 'NO_CAPACITY' },
    ])
    await rig.pass(400, 'h1')
    rig.coordinator.onRelease(1, leaseId, completed)
    expect(assigned(rig)).toMatchObject({ jobId: 'j2', queuedMs: 400 })
    await rig.pass(1_000, 'h1')
    expect(rig.take(1)).toMatchObject([{ kind: 'queued', jobId: 'j3', position: 1 }])
  })

  it('is refused at once when nobody knows its model', () => {
    const rig = small()
    rig.coordinator.onAcquire(1, ask('j1', { modelId: 'x' as ModelId }))
    expect(rig.take(1)).toMatchObject([
      { kind: 'rejected', reason: 'MODEL_NOT_FOUND', placementReason: 'MODEL_NOT_FOUND' },
    ])
  })

  it('for an unknown model waits while a new leader still collects snapshots', async () => {
    const rig = createRig({ settleMs: 3_000 })
    rig.joinGateway(1, 'gw')
    rig.coordinator.onAcquire(1, ask('j1'))
    await rig.pass(1_000)
    rig.joinHost('h1', [pool('p1')])
    expect(assigned(rig)).toMatchObject({ jobId: 'j1' })
  })

  it('for a model that nobody turns out to know is refused when the snapshots are in', async () => {
    const rig = createRig({ settleMs: 3_000 })
    rig.joinGateway(1, 'gw')
    rig.coordinator.onAcquire(1, ask('j1'))
    rig.take(1)
    await rig.pass(2_800)
    expect(rig.take(1)).toEqual([])
    await rig.pass(200)
    expect(rig.take(1)).toMatchObject([{ kind: 'rejected', reason: 'MODEL_NOT_FOUND' }])
  })

  it('outlives the offline time of the only host of its model', async () => {
    const rig = small(0, { maxWaitMs: { interactive: 60_000, batch: 60_000 } })
    rig.coordinator.onAcquire(1, ask('j1'))
    rig.take(1)
    await rig.pass(40_000)
    expect(rig.coordinator.core.view.hosts.size).toBe(0)
    rig.joinHost('h1', [pool('p1')], { epoch: 2 })
    expect(assigned(rig)).toMatchObject({ jobId: 'j1', epoch: 2 })
  })

  it('waits for a pool that is not ready, and goes when a snapshot says that it is', () => {
    const rig = createRig()
    rig.joinHost('h1', [pool('p1', { isReady: false, state: 'starting' })])
    rig.joinGateway(1, 'gw')
    rig.coordinator.onAcquire(1, ask('j1'))
    expect(rig.take(1)).toMatchObject([{ kind: 'welcome' }, { reason: 'POOL_UNREADY' }])
    rig.joinHost('h1', [pool('p1')], { revision: 2 })
    expect(assigned(rig)).toMatchObject({ jobId: 'j1' })
  })

  it('leaves with an error when its only pool gives up while it waits', () => {
    const rig = createRig()
    rig.joinHost('h1', [pool('p1', { isReady: false, state: 'starting' })])
    rig.joinGateway(1, 'gw')
    rig.coordinator.onAcquire(1, ask('j1'))
    rig.take(1)
    rig.joinHost('h1', [pool('p1', { isReady: false, state: 'failed' })], { revision: 2 })
    expect(rig.take(1)).toMatchObject([{ kind: 'rejected', reason: 'POOL_UNAVAILABLE' }])
    expect(outcomes(rig)).toEqual(['evicted'])
  })

  it('goes nowhere before the agent has the lease key', () => {
    const rig = createRig()
    rig.joinGateway(1, 'gw')
    rig.joinHost('h1', [pool('p1')])
    rig.joinHost('h1', [pool('p1', { instanceId: 'n' })], { epoch: 2 })
    expect(rig.deliveries.map(({ epoch, term }) => [epoch, term])).toEqual([
      [1, 1],
      [2, 1],
    ])
    const { host } = rig.coordinator.core.view.pools.get(P1)!
    host.isKeyed = false
    rig.coordinator.onAcquire(1, ask('j1'))
    expect(rig.take(1).at(-1)).toMatchObject({ kind: 'queued', reason: 'POOL_UNREADY' })
    rig.coordinator.onHostKeyed(host.hostId, 2, 1)
    expect(assigned(rig)).toMatchObject({ jobId: 'j1', epoch: 2 })
  })

  it('that was refused by its only pool waits, and tries it again when the exclusion ends', async () => {
    const rig = small()
    const exclusions = [{ poolId: P1, instanceId: 'p1-1' as InstanceId }]
    rig.coordinator.onAcquire(1, ask('j1', {}, { exclusions }))
    expect(rig.take(1)).toMatchObject([{ kind: 'queued', reason: 'POOL_EXCLUDED' }])
    await rig.pass(1_800, 'h1')
    expect(rig.take(1)).toEqual([])
    await rig.pass(200, 'h1')
    expect(assigned(rig)).toMatchObject({ jobId: 'j1' })
  })

  it('does not wait behind a head that other demands hold up', () => {
    const rig = createRig()
    rig.joinHost('h1', [pool('p1'), pool('p2')])
    rig.joinGateway(1, 'gw')
    rig.coordinator.onAcquire(1, ask('j1', { pinPoolId: P1 }))
    rig.coordinator.onAcquire(1, ask('j2', { pinPoolId: P1 }))
    rig.coordinator.onAcquire(1, ask('j3'))
    expect(
      rig.take(1).flatMap((signal) => (signal.kind === 'assigned' ? [signal.jobId] : [])),
    ).toEqual(['j1', 'j3'])
  })

  it('stops waiting at its max wait, which counts what it waited before', async () => {
    const rig = small(0)
    rig.coordinator.onAcquire(1, ask('j1', { maxWaitMs: 1_000 }, { waitedMs: 600 }))
    rig.take(1)
    await rig.pass(200, 'h1')
    expect(rig.take(1)).toEqual([])
    await rig.pass(200, 'h1')
    expect(rig.take(1)).toMatchObject([{ kind: 'rejected', reason: 'QUEUE_TIMEOUT' }])
    expect(outcomes(rig)).toEqual(['expired'])
  })

  it('[004-07a] is refused with an honest retry time when the queue of its class is full', () => {
    const admission = { capacity: 2, fullPolicy: 'reject', promoteAfterMs: 1e6 } as const
    const rig = small(1, { admission })
    for (const id of ['j1', 'j2', 'j3', 'j4']) rig.coordinator.onAcquire(1, ask(id))
    const [last, refused] = rig.take(1).slice(-2)
    const etaMs = last?.kind === 'queued' ? last.predictedStartMs : NaN
    expect(refused).toMatchObject({ reason: 'ADMISSION_REJECT' })
    expect(refused?.kind === 'rejected' && refused.retryAfterMs > etaMs).toBe(true)
    rig.coordinator.onAcquire(1, ask('b1', { jobClass: 'batch' }))
    expect(rig.take(1)).toMatchObject([{ kind: 'queued', jobId: 'b1', position: 3 }])
  })

  it('is refused when its gateway has too many that wait', () => {
    const rig = small(0, { maxOutstanding: 1 })
    rig.coordinator.onAcquire(1, ask('j1'))
    rig.coordinator.onAcquire(1, ask('j2'))
    expect(rig.take(1).at(-1)).toMatchObject({ jobId: 'j2', policyLabel: 'gateway-outstanding' })
  })

  it('sent twice waits once, and is told its place again', () => {
    const rig = small(0)
    rig.coordinator.onAcquire(1, ask('j1'))
    rig.coordinator.onAcquire(1, ask('j1'))
    expect(rig.take(1)).toMatchObject([{ position: 1 }, { position: 1 }])
    expect(rig.coordinator.core.queue.jobs.size).toBe(1)
  })
})

describe('a cancel', () => {
  it('takes a waiting job out for good', () => {
    const rig = small()
    rig.coordinator.onAcquire(1, ask('j1'))
    const { leaseId } = assigned(rig)
    rig.coordinator.onAcquire(1, ask('j2'))
    rig.coordinator.onCancel(1, 'j2' as JobId)
    rig.take(1)
    rig.coordinator.onRelease(1, leaseId, completed)
    expect(rig.take(1)).toEqual([])
    expect(outcomes(rig)).toEqual(['dispatched', 'cancelled'])
  })

  it('that crosses an Assigned gives the slot to the next', () => {
    const rig = small()
    rig.coordinator.onAcquire(1, ask('j1'))
    rig.coordinator.onAcquire(1, ask('j2'))
    rig.take(1)
    rig.coordinator.onCancel(1, 'j1' as JobId)
    expect(assigned(rig)).toMatchObject({ jobId: 'j2' })
    expect(reserved(rig)).toBe(1)
  })

  it("of another gateway's job does nothing", () => {
    const rig = small(0)
    rig.joinGateway(2, 'other')
    rig.coordinator.onAcquire(1, ask('j1'))
    rig.coordinator.onCancel(2, 'j1' as JobId)
    expect(rig.coordinator.core.queue.jobs.size).toBe(1)
  })
})

describe('a lease', () => {
  it('is released once, and only by the gateway that holds it', () => {
    const rig = small(2)
    rig.joinGateway(2, 'other')
    rig.coordinator.onAcquire(1, ask('j1'))
    rig.coordinator.onAcquire(1, ask('j2'))
    const signal = rig.take(1).find((candidate) => candidate.kind === 'assigned')!
    rig.coordinator.onRelease(2, signal.leaseId, completed)
    expect(reserved(rig)).toBe(2)
    rig.coordinator.onRelease(1, signal.leaseId, completed)
    rig.coordinator.onRelease(1, signal.leaseId, completed)
    expect(reserved(rig)).toBe(1)
  })

  it.each<[string, (rig: Rig) => void, string]>([
    [
      'the instance dies',
      (rig) => rig.joinHost('h1', [pool('p1', { instanceId: 'p1-2' })], { revision: 2 }),
      'WORKER_RESET',
    ],
    ['the agent restarts', (rig) => rig.joinHost('h1', [pool('p1')], { epoch: 2 }), 'STALE_EPOCH'],
    ['the pool is removed', (rig) => rig.joinHost('h1', [], { revision: 2 }), 'POOL_UNAVAILABLE'],
  ])('is revoked when %s', (_, happen, reason) => {
    const rig = small()
    rig.coordinator.onAcquire(1, ask('j1'))
    const { leaseId } = assigned(rig)
    happen(rig)
    expect(rig.take(1)).toContainEqual({ kind: 'revoked', leaseId, reason })
    expect(rig.coordinator.core.leases.byId.size).toBe(0)
    expect(rig.coordinator.core.view.reservations.size).toBe(0)
  })

  it('is revoked when its host is silent for 30 s, and not while the bus is down', async () => {
    const rig = small()
    rig.coordinator.onAcquire(1, ask('j1'))
    rig.coordinator.onBusStatus(false)
    await rig.pass(60_000)
    rig.coordinator.onBusStatus(true)
    expect(rig.take(1)).toHaveLength(1)
    await rig.pass(30_200)
    expect(rig.take(1)).toMatchObject([{ kind: 'revoked', reason: 'POOL_UNAVAILABLE' }])
  })

  it('of a broken session is reclaimed after its TTL, and its slot goes to the next job', async () => {
    const rig = small()
    rig.joinGateway(2, 'other')
    rig.coordinator.onAcquire(1, ask('j1'))
    rig.coordinator.onAcquire(2, ask('j2'))
    rig.take(2)
    rig.coordinator.onSessionClosed(1)
    await rig.pass(14_800, 'h1')
    expect(reserved(rig)).toBe(1)
    expect(rig.take(2)).toEqual([])
    await rig.pass(200, 'h1')
    expect(assigned(rig, 2)).toMatchObject({ jobId: 'j2' })
    expect(rig.coordinator.core.gateways.has('gw' as never)).toBe(false)
  })
})

describe('a gateway that does not come back', () => {
  it('is forgotten with its last lease, also when the pool of that lease went first', () => {
    const rig = small()
    rig.coordinator.onAcquire(1, ask('j1'))
    rig.coordinator.onSessionClosed(1)
    expect(rig.coordinator.core.gateways.size).toBe(1)
    rig.joinHost('h1', [pool('p1', { instanceId: 'p1-2' })], { revision: 2 })
    expect(rig.coordinator.core.leases.byId.size).toBe(0)
    expect(rig.coordinator.core.gateways.size).toBe(0)
  })
})

describe('a gateway that comes back', () => {
  it('keeps the leases it declares, and frees those it does not', async () => {
    const rig = small(2)
    rig.coordinator.onAcquire(1, ask('j1'))
    rig.coordinator.onAcquire(1, ask('j2'))
    const [kept] = rig.take(1).flatMap((signal) => (signal.kind === 'assigned' ? [signal] : []))
    rig.coordinator.onSessionClosed(1)
    rig.joinGateway(2, 'gw', [liveLease(kept!.leaseId, 'p1')])
    expect(rig.take(2)).toMatchObject([{ kind: 'welcome', revokedLeaseIds: [] }])
    expect(reserved(rig)).toBe(1)
    await rig.pass(60_000, 'h1')
    expect(reserved(rig)).toBe(1)
  })

  it('replaces its own older session', () => {
    const rig = small()
    rig.joinGateway(2, 'gw')
    expect(rig.closed).toMatchObject([{ session: 1, error: { reason: 'CANCELLED' } }])
    rig.coordinator.onAcquire(1, ask('j1'))
    expect(rig.take(1)).toEqual([])
  })

  it('under a session it has left behind is refused', () => {
    const rig = createRig()
    rig.joinGateway(5, 'gw', [], 5)
    rig.joinGateway(6, 'gw', [], 4)
    expect(rig.closed).toMatchObject([{ session: 6, error: { reason: 'INVALID_PARAMS' } }])
    expect(rig.take(6)).toEqual([])
  })

  it('sends its waiting jobs again and finds their old place', async () => {
    const rig = small(0)
    rig.joinGateway(2, 'other')
    rig.coordinator.onAcquire(1, ask('old'))
    await rig.pass(1_000, 'h1')
    rig.coordinator.onAcquire(2, ask('new'))
    rig.coordinator.onSessionClosed(1)
    rig.joinGateway(3, 'gw')
    rig.take(3)
    rig.coordinator.onAcquire(3, ask('old', {}, { waitedMs: 1_000 }))
    expect(rig.take(3)).toMatchObject([{ kind: 'queued', jobId: 'old', position: 1 }])
  })
})

describe('a new leader', () => {
  it('counts the leases that gateways declare, and refuses those of a dead agent life', () => {
    const rig = createRig()
    rig.joinHost('h1', [pool('p1', { slotsTotal: 2 })])
    rig.joinGateway(1, 'gw', [liveLease('l1', 'p1', 1), liveLease('l2', 'p1', 0)])
    expect(rig.take(1)).toMatchObject([{ kind: 'welcome', revokedLeaseIds: ['l2'] }])
    expect(reserved(rig)).toBe(1)
  })

  it('counts a lease of a pool it has not heard of yet, and releases it when told', () => {
    const rig = createRig()
    rig.joinGateway(1, 'gw', [liveLease('l1', 'p1')])
    rig.joinHost('h1', [pool('p1')])
    expect(reserved(rig)).toBe(1)
    rig.coordinator.onRelease(1, 'l1' as LeaseId, completed)
    expect(reserved(rig)).toBe(0)
  })

  it('revokes a declared lease when the agent turns out to have restarted', () => {
    const rig = createRig()
    rig.joinGateway(1, 'gw', [liveLease('l1', 'p1', 1)])
    rig.take(1)
    rig.joinHost('h1', [pool('p1')], { epoch: 2 })
    expect(rig.take(1)).toMatchObject([{ kind: 'revoked', leaseId: 'l1' }])
    expect(reserved(rig)).toBe(0)
  })

  it('keeps slots for leases agents still serve until they are declared or one TTL has passed', async () => {
    const leaseIds = ['l1', 'l2'] as LeaseId[]
    const rig = createRig()
    rig.joinHost('h1', [pool('p1', { slotsTotal: 2, leaseIds })])
    rig.joinGateway(1, 'gw', [liveLease('l1', 'p1')])
    expect(reserved(rig)).toBe(2)
    await rig.pass(15_000, 'h1')
    expect(reserved(rig)).toBe(1)
  })

  it('frees an undeclared lease as soon as its agent no longer serves it', () => {
    const rig = createRig()
    rig.joinHost('h1', [pool('p1', { leaseIds: ['l1'] as LeaseId[] })])
    rig.joinHost('h1', [pool('p1')], { revision: 2 })
    expect(reserved(rig)).toBe(0)
  })

  it('does not take its own leases of a later snapshot for those of somebody else', () => {
    const rig = small(2)
    rig.coordinator.onAcquire(1, ask('j1'))
    const { leaseId } = assigned(rig)
    rig.coordinator.onRelease(1, leaseId, completed)
    rig.joinHost('h1', [pool('p1', { slotsTotal: 2, leaseIds: [leaseId] })], { revision: 2 })
    expect(reserved(rig)).toBe(0)
  })

  it('delivers its key to every host it knew as a standby', () => {
    const rig = createRig({}, false)
    rig.joinHost('h1', [pool('p1')])
    expect(rig.deliveries).toEqual([])
    rig.coordinator.onLeading(7)
    expect(rig.deliveries).toMatchObject([{ hostId: 'h1', epoch: 1, term: 7 }])
  })
})

describe('a core that does not lead', () => {
  it('tells a gateway who does', () => {
    const rig = createRig({}, false)
    rig.coordinator.onFollowing(3, 'other:7070')
    rig.joinGateway(1, 'gw')
    expect(rig.take(1)).toEqual([{ kind: 'not_leader', address: 'other:7070', term: 3 }])
    expect(rig.closed).toEqual([{ session: 1, error: undefined }])
  })

  it('sends its gateways on when it stops leading, and forgets what it granted', () => {
    const rig = small()
    rig.coordinator.onAcquire(1, ask('j1'))
    rig.coordinator.onAcquire(1, ask('j2'))
    rig.take(1)
    rig.coordinator.onFollowing(2, 'other:7070')
    expect(rig.take(1)).toEqual([{ kind: 'not_leader', address: 'other:7070', term: 2 }])
    const { leases, queue, view } = rig.coordinator.core
    expect([leases.byId.size, queue.jobs.size, view.reservations.size]).toEqual([0, 0, 0])
  })

  it.each<[string, (rig: Rig) => void]>([
    ['an agent', (rig) => rig.joinHost('h1', [pool('p1')], { revision: 2, term: 9 })],
    [
      'a gateway',
      (rig) =>
        rig.coordinator.onHello(5, {
          gatewayId: 'late' as never,
          session: 1,
          liveLeases: [],
          unsettled: [],
          term: 9,
        }),
    ],
  ])('is what a leader becomes when %s has seen a higher term', (_, happen) => {
    const rig = small()
    happen(rig)
    expect(rig.resigned).toEqual([9])
    expect(rig.coordinator.core.role).toMatchObject({ kind: 'standby', term: 9 })
  })
})
