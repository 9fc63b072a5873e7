import type { JobClass } from '@berth/admission'
import type { JobId } from '@berth/kernel'
import type { Exclusion, PlacementJob } from '@berth/placement'

type Demand = Omit<
  PlacementJob,
  'queueAhead' | 'expectedTokens' | 'exclusions' | 'exclusionsEndMs' | 'warmPoolId'
>

/** A job as a gateway described it. 0 and empty texts mean "not said". */
export interface JobSpec extends Demand {
  readonly jobClass: JobClass
  readonly maxTokens: number
  readonly maxWaitMs: number
  readonly deadlineMs: number
  readonly sessionId: string
  readonly correlationId: string
  /** `cold`: where the session ran last does not matter. */
  readonly isCold: boolean
}

/** A gateway asks for one slot. */
export interface Ask {
  readonly jobId: JobId
  readonly spec: JobSpec
  /** How long the job has waited already, in milliseconds. */
  readonly waitedMs: number
  readonly exclusions: readonly Exclusion[]
}

/** How a lease ended, as its gateway saw it. */
export type LeaseOutcome =
  | 'completed'
  | 'engine_error'
  | 'client_gone'
  | 'refused'
  | 'unreachable'
  | 'broken'
  | 'unused'
  | 'unknown'

/** What a gateway measured over a lease. */
export interface LeaseResult {
  readonly outcome: LeaseOutcome
  readonly tokensIn: number
  readonly tokensOut: number
  readonly firstTokenMs: number
  readonly decodeMs: number
}
