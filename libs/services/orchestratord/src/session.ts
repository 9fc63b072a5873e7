import type { BerthError } from '@berth/kernel'
import type { Budget, JobSchema, LeaseOutcome } from '@berth/contract'
import type { MessageInitShape } from '@bufbuild/protobuf'

/** What placement and admission need to know of a request. Never its text. */
export type JobFacts = MessageInitShape<typeof JobSchema>

/** A pool that refused or failed the job. The exclusion ends with the named instance. */
export interface ExcludedPool {
  readonly poolId: string
  readonly instanceId: string
}

/** Where a waiting job stands: 1 is next. `etaMs` is core's estimate of its start. */
export interface QueueState {
  readonly position: number
  readonly etaMs: number
  readonly reason: string
  /** Jobs of the model that wait, this one counted. */
  readonly queueDepth: number
  /** Absent without a deadline. */
  readonly onTimeProbability?: number
}

/** A wish for a slot. */
export interface AcquireRequest {
  /** Unique per attempt: a retry is a job of its own to core. */
  readonly jobId: string
  readonly job: JobFacts
  /** Reading of the gateway's clock when the request arrived; keeps its turn over a reconnect. */
  readonly arrivedAtMs: number
  /** The longest the job may wait from its arrival, with or without a session. */
  readonly maxWaitMs: number
  readonly excluded: readonly ExcludedPool[]
  /** 0 for the first try. */
  readonly attempt: number
  /** The client left: the wait ends as `cancelled`. */
  readonly signal: AbortSignal
  onQueued(state: QueueState): void
}

/** The right to send one request to one pool. */
export interface Grant {
  readonly leaseId: string
  readonly poolId: string
  readonly instanceId: string
  /** `host:port` of the ingress. */
  readonly ingressAddress: string
  readonly token: string
  readonly queuedMs: number
  /** Jobs of the model that still wait. */
  readonly queueDepth: number
  /** The pool served this session, or this prompt's beginning, of late. */
  readonly kvWarmth: boolean
  /** Absent without a deadline. */
  readonly onTimeProbability?: number
  /** What the engine must be given; absent unless the job is strict. */
  readonly seed?: bigint
  /** Left of the tightest budget of each kind with this job counted; absent without a budget. */
  readonly remaining?: Budget
  /** Aborted when core voids the lease. */
  readonly revoked: AbortSignal
}

/** How the wait for a slot ended. */
export type AcquireAnswer =
  | { readonly kind: 'assigned'; readonly grant: Grant }
  | { readonly kind: 'rejected'; readonly error: BerthError }
  | { readonly kind: 'cancelled' }

/** What became of a lease. Durations in milliseconds; 0 where nothing was measured. */
export interface ReleaseReport {
  readonly outcome: LeaseOutcome
  readonly tokensIn: number
  readonly tokensOut: number
  readonly firstTokenMs: number
  readonly decodeMs: number
}

/** Whether there is a leader to ask, and who. */
export type SessionState =
  | { readonly kind: 'down' }
  | {
      readonly kind: 'up'
      readonly address: string
      readonly leaderId: string
      readonly term: bigint
    }

/** The gateway's side of `SchedulerService.Session`, as a port. */
export interface Session {
  readonly state: SessionState
  /** Settles in exactly one of its three ways, and never rejects. */
  acquire(request: AcquireRequest): Promise<AcquireAnswer>
  /** Ends a lease. Call it exactly once per assigned answer. */
  release(leaseId: string, report: ReleaseReport): void
  /**
   * An agent refused the lease, which is still held, for it has seen a higher term: whoever granted
   * it leads no more.
   */
  outdated(leaseId: string): void
}
