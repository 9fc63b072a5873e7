import type { GatewayId, HostId, JobId, LeaseId, PoolId } from '@berth/kernel'
import { createSimClock } from '@berth/kernel/testing'
import type { CoreEvent } from '../core-event.ts'
import type { SessionKey } from '../effects.ts'
import type { LiveLease, SessionSignal, UnsettledRelease } from '../session-signal.ts'
import { createMemoryLedger } from './memory-ledger.ts'
import { ask, completed, createRig, liveLease, pool, type Rig } from './rig.ts'

/** What became of a job, as its gateway knows it. */
export type JobFate = 'waiting' | 'assigned' | 'rejected' | 'cancelled'

/** A job of a world: how it was asked for, and every end its gateway heard or made of it. */
export interface WorldJob {
  readonly jobId: JobId
  readonly isCharged: boolean
  readonly arrivedAtMs: number
  fate: JobFate
}

/** A gateway as its own process: it knows what it was told, and nothing else. */
export interface WorldGateway {
  readonly gatewayId: GatewayId
  readonly jobs: Map<JobId, WorldJob>
  readonly leases: Map<LeaseId, LiveLease>
  unsettled: UnsettledRelease[]
  sequence: number
  /** Its live stream. */
  key: SessionKey | undefined
}

interface WorldPool {
  readonly poolId: PoolId
  slotsTotal: number
  instance: number
  isDraining: boolean
}

interface WorldHost {
  readonly hostId: HostId
  revision: number
  readonly pools: readonly WorldPool[]
}

export type FleetWorld = ReturnType<typeof createFleetWorld>

/**
 * Two gateways, three pools on two hosts, and one leader after the other on one clock and store.
 * `onEvent` sees each event of a leader while its state is as it was when it happened.
 */
export const createFleetWorld = (onEvent: (event: CoreEvent, rig: Rig) => void) => {
  const [clock, store] = [createSimClock(), createMemoryLedger()]
  const hosts = [createHost('h1', 'p1', 'p2'), createHost('h2', 'p3')]
  const gateways = ['gwa', 'gwb'].map(createGateway)
  const trace: SessionSignal[] = []
  /** How often each job was asked for, less how often it ended, with the present leader. */
  let open = new Map<JobId, number>()
  let sessions = 0
  let term = 0
  let jobs = 0

  const count = (jobId: JobId, by: number) => open.set(jobId, (open.get(jobId) ?? 0) + by)
  const begin = (): Rig => {
    term += 1
    const next: Rig = createRig(
      { leaseTtlMs: 3_000, maxWaitMs: { interactive: 5_000, batch: 5_000 }, maxOutstanding: 5 },
      false,
      (event) => {
        if (event.kind === 'job_ended') count(event.job.jobId, -1)
        onEvent(event, next)
      },
      { clock, store, seed: term, budgetOfKey: () => ({ tokensPerDay: 90 }) },
    )
    next.coordinator.onLeading(term)
    return next
  }
  let rig = begin()

  const publish = ({ hostId, pools, revision }: WorldHost) =>
    rig.joinHost(
      hostId,
      pools.map(({ poolId, instance, slotsTotal, isDraining }) => {
        const leaseIds = gateways.flatMap(({ leases }) =>
          [...leases.values()].filter((one) => one.poolId === poolId).map((one) => one.leaseId),
        )
        const instanceId = `${poolId}-${instance}`
        return pool(poolId, { instanceId, slotsTotal, isDraining, leaseIds })
      }),
      { revision },
    )
  const send = ({ key }: WorldGateway, { jobId, isCharged, arrivedAtMs }: WorldJob) => {
    if (key === undefined) return
    const spec = isCharged ? { keyId: 'k', tenant: 't' } : {}
    count(jobId, 1)
    rig.coordinator.onAcquire(key, ask(jobId, spec, { waitedMs: clock.now() - arrivedAtMs }))
  }
  const release = (gateway: WorldGateway, leaseId: LeaseId) => {
    const live = gateway.leases.get(leaseId)
    if (!live) return
    gateway.leases.delete(leaseId)
    const sequence = (gateway.sequence += 1)
    gateway.unsettled.push({ live, sequence, result: completed })
    if (gateway.key === undefined) return
    rig.coordinator.onRelease(gateway.key, leaseId, completed, sequence)
  }
  const hear = (gateway: WorldGateway, signal: SessionSignal) => {
    switch (signal.kind) {
      case 'assigned':
        return takeSlot(gateway, signal)
      case 'rejected':
        return end(gateway, signal.jobId, 'rejected')
      case 'revoked':
        return release(gateway, signal.leaseId)
      case 'settled':
        gateway.unsettled = gateway.unsettled.filter((one) => one.sequence > signal.sequence)
        return
      case 'welcome':
        for (const leaseId of signal.revokedLeaseIds) release(gateway, leaseId)
        for (const job of gateway.jobs.values()) if (job.fate === 'waiting') send(gateway, job)
        return
      case 'not_leader':
      case 'queued':
      case 'heartbeat':
        return
    }
  }
  const takeSlot = (
    gateway: WorldGateway,
    { jobId, leaseId, poolId, reserved }: Extract<SessionSignal, { readonly kind: 'assigned' }>,
  ) => {
    const job = gateway.jobs.get(jobId)!
    const lease = { ...liveLease(leaseId, poolId), jobId, ...(reserved ? { reserved } : {}) }
    const owner = job.isCharged ? { keyId: 'k', tenant: 't' } : {}
    gateway.leases.set(leaseId, { ...lease, ...owner })
    // It crossed the cancel of its job: given back at once.
    if (job.fate === 'cancelled') return release(gateway, leaseId)
    end(gateway, jobId, 'assigned')
  }
  const read = (gateway: WorldGateway) => {
    for (let told = take(gateway); told.length > 0; told = take(gateway)) {
      for (const signal of told) hear(gateway, signal)
    }
  }
  const take = ({ key }: WorldGateway) => {
    const told = key === undefined ? [] : rig.take(key)
    trace.push(...told)
    return told
  }
  const connect = (gateway: WorldGateway) => {
    const key = (sessions += 1)
    gateway.key = key
    const { gatewayId, unsettled } = gateway
    const liveLeases = [...gateway.leases.values()]
    rig.coordinator.onHello(key, { gatewayId, session: key, liveLeases, unsettled, term })
    read(gateway)
  }

  for (const host of hosts) publish(host)
  gateways.forEach(connect)
  return {
    ...{ hosts, gateways, trace, release, read, connect, clock },
    rig: () => rig,
    /** Jobs the present leader has not ended as often as they were asked for, or more often. */
    unbalanced: () => [...open].filter(([, balance]) => balance !== 0),
    acquire: (gateway: WorldGateway, isCharged: boolean) => {
      const jobId = `j${(jobs += 1)}` as JobId
      const arrivedAtMs = clock.now()
      const job: WorldJob = { jobId, isCharged, arrivedAtMs, fate: 'waiting' }
      gateway.jobs.set(jobId, job)
      send(gateway, job)
    },
    cancel: (gateway: WorldGateway, jobId: JobId) => {
      if (gateway.jobs.get(jobId)?.fate !== 'waiting') return
      end(gateway, jobId, 'cancelled')
      if (gateway.key !== undefined) rig.coordinator.onCancel(gateway.key, jobId)
    },
    change: (host: WorldHost, pool: WorldPool, facts: Partial<WorldPool>) => {
      Object.assign(pool, facts)
      host.revision += 1
      publish(host)
    },
    /** What core has told and the gateway has not read is lost; core may not notice at once. */
    disconnect: (gateway: WorldGateway, isNoticed: boolean) => {
      if (isNoticed && gateway.key !== undefined) rig.coordinator.onSessionClosed(gateway.key)
      gateway.key = undefined
    },
    /** The leader stops; the next knows the hosts and the store, and waits for the gateways. */
    failOver: () => {
      rig.coordinator.onFollowing(term + 1, '')
      for (const gateway of gateways) gateway.key = undefined
      const left = [...open].filter(([, balance]) => balance !== 0)
      open = new Map()
      rig = begin()
      for (const host of hosts) publish(host)
      return left
    },
    pass: (ms: number) => rig.pass(ms, 'h1', 'h2'),
  }
}

/** Says what became of a job; a second end of one that has ended is a fault of core. */
const end = ({ jobs }: WorldGateway, jobId: JobId, fate: JobFate) => {
  const job = jobs.get(jobId)!
  // A refusal may cross the cancel.
  if (job.fate === 'cancelled') return
  if (job.fate !== 'waiting') throw new Error(`${jobId} is ${job.fate}, and then ${fate}`)
  job.fate = fate
}

const createGateway = (id: string): WorldGateway => ({
  ...{ gatewayId: id as GatewayId, jobs: new Map(), leases: new Map(), unsettled: [] },
  ...{ sequence: 0, key: undefined },
})

const createHost = (hostId: string, ...poolIds: readonly string[]): WorldHost => ({
  ...{ hostId: hostId as HostId, revision: 1 },
  pools: poolIds.map((poolId) => ({
    ...{ poolId: poolId as PoolId, slotsTotal: 1, instance: 1, isDraining: false },
  })),
})
