import type { GatewayId, JobId, LeaseId } from '@berth/kernel'
import type { SimClock } from '@berth/kernel/testing'
import type { SessionKey } from '../effects.ts'
import type { LiveLease, SessionSignal, UnsettledRelease } from '../session-signal.ts'
import { ask, completed, liveLease, type Rig } from './rig.ts'

/** A job as its gateway knows it. */
export interface WorldJob {
  readonly jobId: JobId
  readonly isCharged: boolean
  readonly arrivedAtMs: number
  fate: 'waiting' | 'assigned' | 'rejected' | 'cancelled'
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

/** What the gateways of a world share. */
export interface GatewayLinks {
  readonly clock: SimClock
  /** Who leads now. */
  rig(): Rig
  term(): number
  /** A job is about to be asked for. */
  onAsked(jobId: JobId): void
  /** Everything that gateways were told, in its order. */
  readonly trace: SessionSignal[]
}

/** A gateway without jobs or a session. */
export const createGateway = (id: string): WorldGateway => ({
  ...{ gatewayId: id as GatewayId, jobs: new Map(), leases: new Map(), unsettled: [] },
  ...{ sequence: 0, key: undefined },
})

/** What gateways do. */
export const createGatewayActs = (links: GatewayLinks) => {
  const { send, release, read } = createTalk(links)
  let sessions = 0
  let jobs = 0
  return {
    release,
    read,
    connect: (gateway: WorldGateway) => {
      const key = (sessions += 1)
      gateway.key = key
      const { gatewayId, unsettled } = gateway
      const holds = { liveLeases: [...gateway.leases.values()], unsettled }
      const hello = { gatewayId, session: key, term: links.term(), ...holds }
      links.rig().coordinator.onHello(key, hello)
      read(gateway)
    },
    /** What core has told and the gateway has not read is lost; core may not notice at once. */
    disconnect: (gateway: WorldGateway, isNoticed: boolean) => {
      if (isNoticed && gateway.key !== undefined) {
        links.rig().coordinator.onSessionClosed(gateway.key)
      }
      gateway.key = undefined
    },
    acquire: (gateway: WorldGateway, isCharged: boolean) => {
      const jobId = `j${(jobs += 1)}` as JobId
      const job: WorldJob = { jobId, isCharged, arrivedAtMs: links.clock.now(), fate: 'waiting' }
      gateway.jobs.set(jobId, job)
      send(gateway, job)
    },
    cancel: (gateway: WorldGateway, jobId: JobId) => {
      if (gateway.jobs.get(jobId)?.fate !== 'waiting') return
      end(gateway, jobId, 'cancelled')
      if (gateway.key !== undefined) links.rig().coordinator.onCancel(gateway.key, jobId)
    },
  }
}

/** What a gateway says, and what it does when it is told something. */
const createTalk = (links: GatewayLinks) => {
  const send = ({ key }: WorldGateway, { jobId, isCharged, arrivedAtMs }: WorldJob) => {
    if (key === undefined) return
    const spec = isCharged ? OWNER : {}
    const waitedMs = links.clock.now() - arrivedAtMs
    links.onAsked(jobId)
    links.rig().coordinator.onAcquire(key, ask(jobId, spec, { waitedMs }))
  }
  const release = (gateway: WorldGateway, leaseId: LeaseId) => {
    const live = gateway.leases.get(leaseId)
    if (!live) return
    gateway.leases.delete(leaseId)
    const sequence = (gateway.sequence += 1)
    gateway.unsettled.push({ live, sequence, result: completed })
    if (gateway.key === undefined) return
    links.rig().coordinator.onRelease(gateway.key, leaseId, completed, sequence)
  }
  const hear = (gateway: WorldGateway, signal: SessionSignal) => {
    switch (signal.kind) {
      case 'assigned':
        // It crossed the cancel of its job: given back at once.
        if (holdSlot(gateway, signal) === 'cancelled') release(gateway, signal.leaseId)
        return
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
  const take = ({ key }: WorldGateway) => {
    const told = key === undefined ? [] : links.rig().take(key)
    links.trace.push(...told)
    return told
  }
  const read = (gateway: WorldGateway) => {
    for (let told = take(gateway); told.length > 0; told = take(gateway)) {
      for (const signal of told) hear(gateway, signal)
    }
  }
  return { send, release, read }
}

/** Of a job with a budget. */
const OWNER = { keyId: 'k', tenant: 't' }

type Assigned = Extract<SessionSignal, { readonly kind: 'assigned' }>

const holdSlot = (gateway: WorldGateway, { jobId, leaseId, poolId, reserved }: Assigned) => {
  const job = gateway.jobs.get(jobId)!
  const lease = { ...liveLease(leaseId, poolId), jobId, ...(job.isCharged ? OWNER : {}) }
  gateway.leases.set(leaseId, { ...lease, ...(reserved ? { reserved } : {}) })
  end(gateway, jobId, 'assigned')
  return job.fate
}

/** A second end of a job that has ended is a fault of core. */
const end = ({ jobs }: WorldGateway, jobId: JobId, fate: WorldJob['fate']) => {
  const job = jobs.get(jobId)!
  // An answer may cross the cancel.
  if (job.fate === 'cancelled') return
  if (job.fate !== 'waiting') throw new Error(`${jobId} is ${job.fate}, and then ${fate}`)
  job.fate = fate
}
