import type { Amounts, Budget, BudgetOwner } from '@berth/admission'
import type { GatewayId, InstanceId, JobId, LeaseId, ModelId, PoolId, Reason } from '@berth/kernel'
import type { LeaseResult } from './job-spec.ts'

/** A lease a gateway says it still holds. */
export interface LiveLease {
  readonly leaseId: LeaseId
  readonly jobId: JobId
  readonly poolId: PoolId
  readonly modelId: ModelId
  readonly epoch: number
  readonly term: number
  /** Empty where nobody signs in. */
  readonly keyId: string
  readonly tenant: string
  readonly sessionId: string
  /** What is set aside for it; absent without a budget. */
  readonly reserved?: Amounts
  /** As its job said it. */
  readonly budget: Budget
}

/** A release that the leader before may have taken with it, and the lease it ended. */
export interface UnsettledRelease {
  readonly live: LiveLease
  readonly sequence: number
  readonly result: LeaseResult
}

/** How a gateway introduces itself, and everything it still holds. */
export interface Hello {
  readonly gatewayId: GatewayId
  /** Counts the sessions of a gateway's life. */
  readonly session: number
  readonly liveLeases: readonly LiveLease[]
  /** Oldest first. */
  readonly unsettled: readonly UnsettledRelease[]
  /** The highest term it has seen. */
  readonly term: number
}

/** What core tells a gateway. `wire-session.ts` turns it into frames. */
export type SessionSignal =
  | {
      readonly kind: 'welcome'
      readonly term: number
      readonly leaderId: string
      readonly revokedLeaseIds: readonly LeaseId[]
    }
  | { readonly kind: 'not_leader'; readonly address: string; readonly term: number }
  | {
      readonly kind: 'assigned'
      readonly jobId: JobId
      readonly leaseId: LeaseId
      readonly poolId: PoolId
      readonly instanceId: InstanceId | undefined
      readonly ingressAddress: string
      readonly token: string
      readonly epoch: number
      readonly term: number
      readonly queuedMs: number
      readonly predictedEndMs: number
      /** The pool ran this session last, or has the beginning of this prompt. */
      readonly kvWarmth: boolean
      readonly engine: string
      readonly engineVersion: string
      /** What the engine must be seeded with; of strict jobs only. */
      readonly seed?: bigint
      /** Jobs of the model that still wait. */
      readonly queueDepth: number
      /** That it is over before its deadline, 0 to 1; absent without one. */
      readonly onTimeProbability?: number
      /** Set aside until its release; absent without a budget. */
      readonly reserved?: Amounts
      /** Left of the tightest budget of each kind, this job counted. */
      readonly remaining?: Budget
    }
  | {
      readonly kind: 'queued'
      readonly jobId: JobId
      /** 1 is next. */
      readonly position: number
      /** From now; 0 only when it starts now. */
      readonly predictedStartMs: number
      readonly reason: string
      /** Jobs of the model that wait, this one counted. */
      readonly queueDepth: number
      /** That it is over before its deadline, 0 to 1; absent without one. */
      readonly onTimeProbability?: number
    }
  | {
      readonly kind: 'rejected'
      readonly jobId: JobId
      readonly reason: Reason
      readonly message: string
      readonly retryAfterMs: number
      readonly policyLabel: string
      readonly placementReason: string
      /** When it would have been over, from now, where that is why it is refused. */
      readonly predictedEndMs?: number
      /** Left of the budget that refuses it, and whose that is. */
      readonly remaining?: Budget
      readonly budgetOwner?: BudgetOwner
    }
  /** Releases up to here are in the ledger for good. */
  | { readonly kind: 'settled'; readonly sequence: number }
  | { readonly kind: 'revoked'; readonly leaseId: LeaseId; readonly reason: string }
  | { readonly kind: 'heartbeat'; readonly term: number }
