import type { JobId, ModelId } from '@berth/kernel'

/** Interactive jobs are served before batch jobs, until a batch job has waited long. */
export type JobClass = 'interactive' | 'batch'

/** What admission knows of a job. `Payload` is its owner's and is only carried. */
export interface JobOffer<Payload> {
  readonly jobId: JobId
  readonly modelId: ModelId
  readonly jobClass: JobClass
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
  previous: WaitingJob<Payload> | undefined
  next: WaitingJob<Payload> | undefined
}
