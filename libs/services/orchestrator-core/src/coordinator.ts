import { depthAhead, expire, promote } from '@berth/admission'
import type { HostSnapshot as PublishedHost } from '@berth/contract'
import {
  foldHeartbeat,
  freezeAges,
  thawAges,
  thawHost,
  type HostHeartbeat,
  type HostSnapshot,
  type SnapshotOrigin,
} from '@berth/fleet'
import type { HostId, JobId, LeaseId } from '@berth/kernel'
import type { Explanation } from '@berth/placement'
import { cancel, tellPositions } from './admit.ts'
import { createRestartEstimate } from './estimate.ts'
import { createCore, type Core, type CoreOptions, type CorePolicy } from './core-state.ts'
import { explainJob } from './decide.ts'
import { dispatchAll, dispatchPool, isUnknown } from './dispatch.ts'
import type { SessionKey } from './effects.ts'
import { leave, reclaimLeases, takeRelease, welcome } from './gateways.ts'
import { cancelHeld, receive, tickHeld } from './held-asks.ts'
import { applySnapshot, dropSilentHosts, keyHost } from './hosts.ts'
import { closeWait, refuseUnreadable, type UnreadableAsk } from './job-end.ts'
import type { Ask, JobSpec, LeaseResult } from './job-spec.ts'
import { follow, lead } from './leadership.ts'
import { rereadLedger, takeOverLedger } from './ledger-load.ts'
import type { LedgerEntry, LedgerOutcome } from './ledger-port.ts'
import { endRound, storeLedger } from './ledger-rounds.ts'
import { refuseExpired, refuseImpossible } from './refusal.ts'
import type { Hello } from './session-signal.ts'
import { wakeFor, wakePools } from './wake-pools.ts'
import {
  describeSession,
  dropSessions,
  endSession,
  type SessionName,
  type SessionReport,
} from './sessions.ts'

/**
 * The single writer of queue, leases and view. Events come in through `on...`, in any order and
 * never concurrently; what follows goes out through `Effects`. It holds no timer: `onTick` is
 * called several times a second.
 */
export interface Coordinator {
  readonly core: Readonly<Core>
  onLeading(term: number): void
  onFollowing(term: number, address: string): void
  /** `origin`: from the host (default), or a last value that the bus had stored. */
  onSnapshot(snapshot: HostSnapshot, published: PublishedHost, origin?: SnapshotOrigin): void
  onHeartbeat(heartbeat: HostHeartbeat): void
  /** While the bus is down, ages of hosts stand still. */
  onBusStatus(isConnected: boolean): void
  /** While the bus is down: a host did not answer by another way. Its age goes on. */
  onHostSilent(hostId: HostId): void
  onHostKeyed(hostId: HostId, epoch: number, term: number): void
  onHello(session: SessionKey, hello: Hello): void
  onAcquire(session: SessionKey, ask: Ask): void
  /** A job came that nobody can place, for what it says makes no sense. */
  onUnreadable(session: SessionKey, ask: UnreadableAsk): void
  onCancel(session: SessionKey, jobId: JobId): void
  /** `sequence` counts the releases of the gateway from 1; 0: it does not count them. */
  onRelease(session: SessionKey, leaseId: LeaseId, result: LeaseResult, sequence?: number): void
  onSessionClosed(session: SessionKey): void
  /** Everything that happens by time alone. */
  onTick(): void
  /** Other settings hold from now on, for jobs that wait too. */
  onPolicy(policy: CorePolicy): void
  /** What earlier leaders stored of budgets and sessions. */
  onLedgerLoaded(term: number, entries: readonly LedgerEntry[]): void
  /** What became of each write of a round, in their order. */
  onLedgerSaved(round: number, outcomes: readonly LedgerOutcome[]): void
  /** Stores what has changed, when nothing else is being stored. */
  storeLedger(): void
  /** Undefined when there is no such session. */
  describeSession(name: SessionName): SessionReport | undefined
  endSession(name: SessionName): void
  explain(spec: JobSpec): Explanation
}

/** Positions are told again at most this often, in milliseconds. */
const TELL_POSITIONS_MS = 1_000

/** A coordinator that has heard nothing yet; it stands by until `onLeading`. */
export const createCoordinator = (options: CoreOptions): Coordinator => {
  const core = createCore(options)
  let positionsToldAtMs = 0
  return {
    core,
    onLeading: (term) => lead(core, term),
    onFollowing: (term, address) => follow(core, term, address),
    onSnapshot: (snapshot, published, origin) => applySnapshot(core, snapshot, published, origin),
    onHeartbeat: (heartbeat) => {
      foldHeartbeat(core.view, heartbeat, core.clock.now())
    },
    onBusStatus: (isConnected) => {
      const now = core.clock.now()
      if (isConnected) thawAges(core.view, now)
      else freezeAges(core.view, now)
      core.effects.report({ kind: 'ages', frozen: !isConnected })
    },
    onHostSilent: (hostId) => thawHost(core.view, hostId, core.clock.now()),
    onHostKeyed: (hostId, epoch, term) => keyHost(core, hostId, epoch, term),
    onHello: (session, hello) => welcome(core, session, hello),
    onAcquire: (session, ask) => acquire(core, session, ask),
    onUnreadable: (session, ask) => refuseUnreadable(core, session, ask),
    onCancel: (session, jobId) => {
      const gateway = core.sessions.get(session)
      if (!gateway || cancelHeld(core, gateway.gatewayId, jobId)) return
      cancel(core, gateway.gatewayId, jobId)
    },
    onRelease: (session, leaseId, result, sequence = 0) => {
      const gateway = core.sessions.get(session)
      const lease = gateway && takeRelease(core, gateway, { leaseId, result, sequence })
      const pool = lease && core.view.pools.get(lease.poolId)
      if (pool) dispatchPool(core, pool)
    },
    onSessionClosed: (session) => leave(core, session),
    onTick: () => {
      const now = core.clock.now()
      dropSilentHosts(core, now)
      if (core.role.kind !== 'leader') return
      expireJobs(core, now)
      promote(core.queue, now)
      reclaimLeases(core, now)
      dropSessions(core, now)
      tickHeld(core, now)
      rereadLedger(core)
      storeLedger(core)
      dispatchAll(core)
      wakePools(core)
      if (now - positionsToldAtMs < TELL_POSITIONS_MS) return
      positionsToldAtMs = now
      tellPositions(core)
    },
    onPolicy: (policy) => {
      core.policy = policy
      core.queue.policy = policy.admission
      dispatchAll(core)
    },
    onLedgerLoaded: (term, entries) => {
      takeOverLedger(core, term, entries)
      storeLedger(core)
    },
    onLedgerSaved: (round, outcomes) => endRound(core, round, outcomes),
    storeLedger: () => storeLedger(core),
    describeSession: (name) => describeSession(core, name),
    endSession: (name) => endSession(core, name),
    explain: (spec) => explainJob(core, spec, depthAhead(core.queue, spec.modelId, spec.jobClass)),
  }
}

const acquire = (core: Core, session: SessionKey, ask: Ask) => {
  const gateway = core.sessions.get(session)
  if (!gateway) return
  receive(core, gateway, ask)
  if (core.queue.jobs.has(ask.jobId)) wakeFor(core, ask.spec.modelId)
}

const expireJobs = (core: Core, now: number) => {
  const estimate = createRestartEstimate(core)
  for (const job of expire(core.queue, now)) {
    const waitedMs = Math.round(now - job.arrivedAtMs)
    const { spec } = job.payload.ask
    const refusal = isUnknown(core, job)
      ? refuseImpossible('MODEL_NOT_FOUND', spec)
      : refuseExpired(spec, waitedMs, estimate(job))
    closeWait(core, job, 'expired', refusal)
  }
}
