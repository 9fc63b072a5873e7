import type { JobId, ModelId } from '@berth/kernel'

/** Interactive jobs are served before batch jobs, until a batch job has waited long. */
export type JobClass = 'interactive' | 'batch'

/** What admission knows of a job. `Payload` is its owner's and is only carried. */
export interface JobOffer<Payload> {
  readonly jobId: JobId
  readonly modelId: ModelId
  readonly jobClass: JobClass
  /** Who shares the model fairly with others; empty where nobody signs in. */
  readonly tenant: string
  /** Prompt and expected tokens, a whole number: what serving it is charged with until it is over. */
  readonly costTokens: number
  /** When it first asked, on the caller's clock; before `now` for a job that is sent again. */
  readonly arrivedAtMs: number
  /** When it stops waiting. */
  readonly expiresAtMs: number
  readonly payload: Payload
}

/** A job in the queue. Its links belong to the queue. */
export interface WaitingJob<Payload> extends JobOffer<Payload> {
  /** The line it stands in: its class, until a batch job is promoted. */
  line: JobClass
  /** Its place in time within the line; moves when it is promoted. */
  orderMs: number
  /** Counts the jobs of a queue: decides between those of the same moment. */
  readonly sequence: number
  previous: WaitingJob<Payload> | undefined
  next: WaitingJob<Payload> | undefined
}

/** Below 0 when `a` came before `b`. */
export const compareAge = (a: WaitingJob<unknown>, b: WaitingJob<unknown>): number =>
  a.orderMs - b.orderMs || a.sequence - b.sequence
