import { describe, expect, it } from '@jest/globals'
import { create } from '@bufbuild/protobuf'
import { HostSnapshotSchema } from '@berth/contract'
import { hostSnapshot } from '@berth/fleet/testing'
import type { InstanceId, LeaseId, ModelId, PoolId } from '@berth/kernel'
import { ask, completed, createRig, liveLease, pool, type Rig } from './testing/rig.ts'

const P1 = 'p1' as PoolId
const LEASE_TTL_MS = 15_000

const reserved = (rig: Rig) => rig.coordinator.core.view.pools.get(P1)?.reserved
const assignedJobs = (rig: Rig, ...sessions: number[]) =>
  sessions.flatMap((session) =>
    rig.take(session).flatMap((signal) => (signal.kind === 'assigned' ? [signal.jobId] : [])),
  )
const served = (...leaseIds: string[]) => pool('p1', { leaseIds: leaseIds as LeaseId[] })
const voidedAs = (rig: Rig) =>
  rig.events.flatMap((event) => (event.kind === 'lease_voided' ? [event.cause] : []))

/** What the bus had stored of a host, whether or not that host still lives. */
const findStored = (rig: Rig, hostId: string, ...pools: ReturnType<typeof pool>[]) =>
  rig.coordinator.onSnapshot(
    hostSnapshot(hostId, pools),
    create(HostSnapshotSchema, { hostId }),
    'stored',
  )

describe('a takeover', () => {
  it('serves jobs of several gateways in the order in which they first arrived', () => {
    const rig = createRig({ settleMs: 3_000 })
    rig.joinGateway(1, 'a')
    rig.joinGateway(2, 'b')
    rig.coordinator.onAcquire(1, ask('second', {}, { waitedMs: 700 }))
    rig.coordinator.onAcquire(1, ask('fourth', {}, { waitedMs: 100 }))
    rig.coordinator.onAcquire(2, ask('first', {}, { waitedMs: 900 }))
    rig.coordinator.onAcquire(2, ask('third', {}, { waitedMs: 400 }))
    const order: string[] = []
    for (let instance = 1; instance <= 4; instance++) {
      rig.joinHost('h1', [pool('p1', { instanceId: `i${instance}` })], { revision: instance })
      order.push(...assignedJobs(rig, 1, 2))
    }
    expect(order).toEqual(['first', 'second', 'third', 'fourth'])
  })

  it('keeps a pool excluded that failed a job under the leader before', () => {
    const rig = createRig()
    rig.joinHost('h1', [pool('p1'), pool('p2')])
    rig.joinGateway(1, 'gw')
    rig.take(1)
    const exclusions = [{ poolId: P1, instanceId: 'p1-1' as InstanceId }]
    rig.coordinator.onAcquire(1, ask('j1', {}, { exclusions, waitedMs: 800 }))
    expect(rig.take(1)).toMatchObject([{ kind: 'assigned', poolId: 'p2' }])
  })

  it('frees the slot of a lease that ended while nobody led, by the word of its gateway', () => {
    const rig = createRig()
    rig.joinHost('h1', [served('l1')])
    rig.joinGateway(1, 'gw')
    expect(reserved(rig)).toBe(1)
    rig.coordinator.onRelease(1, 'l1' as LeaseId, completed)
    expect(reserved(rig)).toBe(0)
  })

  it('does not let a gateway end what another has declared', () => {
    const rig = createRig()
    rig.joinHost('h1', [served('l1')])
    rig.joinGateway(1, 'gw', [liveLease('l1', 'p1')])
    rig.joinGateway(2, 'other')
    rig.coordinator.onRelease(2, 'l1' as LeaseId, completed)
    expect(reserved(rig)).toBe(1)
  })

  it('calls a lease leaked that nobody declared in time though its agent still serves it', async () => {
    const rig = createRig()
    rig.joinHost('h1', [served('l1')])
    rig.joinGateway(1, 'gw')
    rig.coordinator.onAcquire(1, ask('j1'))
    await rig.pass(LEASE_TTL_MS - 200, 'h1')
    expect([reserved(rig), voidedAs(rig)]).toEqual([1, []])
    await rig.pass(200, 'h1')
    expect(voidedAs(rig)).toEqual(['leaked'])
    expect(assignedJobs(rig, 1)).toEqual(['j1'])
  })

  it('calls the lease of a gateway that never came back expired, when no agent serves it', async () => {
    const rig = createRig()
    rig.joinHost('h1', [pool('p1')])
    rig.joinGateway(1, 'gw', [liveLease('l1', 'p1')])
    rig.coordinator.onSessionClosed(1)
    await rig.pass(LEASE_TTL_MS, 'h1')
    expect(voidedAs(rig)).toEqual(['expired'])
  })

  it('honours a lease of an agent life whose snapshot has not arrived yet', () => {
    const rig = createRig()
    rig.joinHost('h1', [pool('p1')], { epoch: 1 })
    rig.joinGateway(1, 'gw', [liveLease('l1', 'p1', 2)])
    expect(rig.take(1)).toMatchObject([{ kind: 'welcome', revokedLeaseIds: [] }])
    rig.joinHost('h1', [pool('p1')], { epoch: 1, revision: 2 })
    expect(reserved(rig)).toBe(1)
    // The view is told of a life that began: whatever it counted there before is void.
    rig.joinHost('h1', [served('l1')], { epoch: 3 })
    expect(rig.take(1)).toMatchObject([{ kind: 'revoked', leaseId: 'l1' }])
  })
})

describe('a stored snapshot', () => {
  it('makes a host known but gets it no job before the host is heard itself', () => {
    const rig = createRig()
    findStored(rig, 'h1', pool('p1'))
    rig.joinGateway(1, 'gw')
    rig.coordinator.onAcquire(1, ask('j1'))
    expect(rig.take(1).at(-1)).toMatchObject({ kind: 'queued', reason: 'POOL_UNREADY' })
    rig.coordinator.onHostKeyed('h1' as never, 1, 1)
    expect(assignedJobs(rig, 1)).toEqual(['j1'])
  })

  it('of a host that died long ago holds no job for its model longer than the host is kept', async () => {
    const rig = createRig({ maxWaitMs: { interactive: 60_000, batch: 60_000 } })
    findStored(rig, 'h1', pool('p1'))
    rig.joinGateway(1, 'gw')
    rig.coordinator.onAcquire(1, ask('j1'))
    rig.take(1)
    await rig.pass(30_400)
    expect(rig.take(1)).toMatchObject([{ kind: 'rejected', reason: 'MODEL_NOT_FOUND' }])
  })

  it('that is found again after an outage does not make a dead host young', async () => {
    const rig = createRig()
    rig.joinHost('h1', [pool('p1')])
    rig.coordinator.onBusStatus(false)
    rig.coordinator.onHostSilent('h1' as never)
    await rig.pass(20_000)
    rig.coordinator.onBusStatus(true)
    findStored(rig, 'h1', pool('p1'))
    await rig.pass(10_200)
    expect(rig.coordinator.core.view.hosts.size).toBe(0)
  })
})

describe('an unknown model just after a leadership began', () => {
  const justBegun = async (maxWaitMs = 0) => {
    const rig = createRig({ settleMs: 3_000 })
    rig.joinHost('h1', [pool('p1')])
    rig.joinGateway(1, 'gw')
    rig.take(1)
    rig.coordinator.onAcquire(1, ask('j1', { modelId: 'nobody' as ModelId, maxWaitMs }))
    expect(rig.take(1)).toMatchObject([{ kind: 'queued', reason: 'MODEL_NOT_FOUND' }])
    await rig.pass(2_800, 'h1')
    expect(rig.take(1)).toEqual([])
    await rig.pass(200, 'h1')
    return rig.take(1)
  }

  it('is not found once the snapshots are in', async () => {
    expect(await justBegun()).toMatchObject([{ kind: 'rejected', reason: 'MODEL_NOT_FOUND' }])
  })

  it('is not found rather than too late when both become true at once', async () => {
    expect(await justBegun(3_000)).toMatchObject([{ kind: 'rejected', reason: 'MODEL_NOT_FOUND' }])
  })
})
