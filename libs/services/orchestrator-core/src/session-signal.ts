import type { GatewayId, InstanceId, JobId, LeaseId, ModelId, PoolId, Reason } from '@berth/kernel'

/** A lease a gateway says it still holds. */
export interface LiveLease {
  readonly leaseId: LeaseId
  readonly jobId: JobId
  readonly poolId: PoolId
  readonly modelId: ModelId
  readonly epoch: number
  readonly term: number
}

/** How a gateway introduces itself, and everything it still holds. */
export interface Hello {
  readonly gatewayId: GatewayId
  /** Counts the sessions of a gateway's life. */
  readonly session: number
  readonly liveLeases: readonly LiveLease[]
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
      /** Jobs of the model that still wait. */
      readonly queueDepth: number
      /** That it is over before its deadline, 0 to 1; absent without one. */
      readonly onTimeProbability?: number
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
    }
  | { readonly kind: 'revoked'; readonly leaseId: LeaseId; readonly reason: string }
  | { readonly kind: 'heartbeat'; readonly term: number }
