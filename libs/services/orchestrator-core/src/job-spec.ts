import type { Budget, JobClass } from '@berth/admission'
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
  /** Answers it asks for, each of up to `maxTokens`. Absent: one. */
  readonly answers?: number
  readonly maxWaitMs: number
  readonly deadlineMs: number
  /** Tokens the client expects to be produced; reserves nothing. */
  readonly expectedTokensHint: number
  readonly sessionId: string
  readonly correlationId: string
  /** Empty where nobody signs in. */
  readonly tenant: string
  readonly keyId: string
  /** What the job may cost its session, or itself when it has none. */
  readonly budget: Budget
}

/** A gateway asks for one slot. */
export interface Ask {
  readonly jobId: JobId
  readonly spec: JobSpec
  /** How long the job has waited already, in milliseconds. */
  readonly waitedMs: number
  /** 0 for the first try of a request; a retry is a job of its own. */
  readonly attempt: number
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
