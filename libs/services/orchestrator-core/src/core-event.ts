import type { JobClass } from '@berth/admission'
import type { VoidedPool } from '@berth/fleet'
import type { GatewayId, HostId, JobId, LeaseId, ModelId, PoolId, Reason } from '@berth/kernel'
import type { DecisionEntry } from './decision-log.ts'
import type { LeaseResult } from './job-spec.ts'

/** How a job ended in admission. */
export type JobOutcome = 'dispatched' | 'rejected' | 'evicted' | 'cancelled' | 'expired'

/** Who ended a wait: the client, or the end of the session it came by. */
export type CancelCause = 'client' | 'session_lost'

/** Facts of a job for the log. */
export interface JobFacts {
  readonly jobId: JobId
  readonly modelId: ModelId
  readonly jobClass: JobClass
  readonly correlationId: string
  readonly sessionId: string
}

/** Everything that happens in core and is worth a series or a line. */
export type CoreEvent =
  | {
      readonly kind: 'decided'
      readonly entry: DecisionEntry
      readonly tookMs: number
    }
  | {
      readonly kind: 'job_queued'
      readonly job: JobFacts
      readonly position: number
      readonly predictedStartMs: number
      readonly reason: string
    }
  | {
      readonly kind: 'job_ended'
      readonly job: JobFacts
      readonly outcome: JobOutcome
      /** For everything but `dispatched` and `cancelled`. */
      readonly reason?: Reason
      readonly queuedMs: number
      /** Both with `dispatched`, and only then. */
      readonly poolId?: PoolId
      readonly leaseId?: LeaseId
      /** Of a job that was cancelled. */
      readonly cause?: CancelCause
      /** The seed of a strict job. */
      readonly seed?: bigint
    }
  | {
      readonly kind: 'lease_released'
      readonly leaseId: LeaseId
      readonly jobId: JobId | undefined
      readonly poolId: PoolId
      /** Empty when the pool is not in the view any more. */
      readonly engine: string
      readonly engineVersion: string
      readonly result: LeaseResult
    }
  | {
      readonly kind: 'lease_voided'
      readonly leaseId: LeaseId
      readonly jobId: JobId | undefined
      readonly poolId: PoolId
      readonly cause: LeaseVoidCause
    }
  | { readonly kind: 'gateway_joined'; readonly gatewayId: GatewayId; readonly leases: number }
  | { readonly kind: 'gateway_left'; readonly gatewayId: GatewayId; readonly jobs: number }
  | {
      readonly kind: 'host_applied'
      readonly hostId: HostId
      readonly epoch: number
      readonly isNewEpoch: boolean
    }
  | { readonly kind: 'host_offline'; readonly hostId: HostId; readonly pools: number }
  | { readonly kind: 'host_keyed'; readonly hostId: HostId; readonly epoch: number }
  /** An agent of an earlier epoch still publishes, from another address. */
  | { readonly kind: 'host_conflict'; readonly hostId: HostId; readonly ignoredAddress: string }
  | { readonly kind: 'pool_conflict'; readonly poolId: PoolId; readonly hostId: HostId }
  | { readonly kind: 'leading'; readonly term: number }
  | { readonly kind: 'following'; readonly term: number; readonly address: string }
  | { readonly kind: 'ages'; readonly frozen: boolean }

/**
 * Why a lease ended without its gateway's word: the pool's, or `expired` (no session held it),
 * `leaked` (the same, and its agent still serves it), `lost` (the gateway came back without it),
 * `leadership` (this core no longer leads).
 */
export type LeaseVoidCause = VoidedPool['cause'] | 'expired' | 'leaked' | 'lost' | 'leadership'
