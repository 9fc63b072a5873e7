import type { JobId, LeaseId } from '@berth/kernel'
import type { JobFacts } from './core-event.ts'
import type { Placed } from './placed-labels.ts'
import { createRecent } from './recent.ts'

/** What a job was told while it waited. 0 and 0 for one that got a slot at once. */
export interface QueuePlace {
  readonly position: number
  readonly predictedStartMs: number
}

/** What is told of a job when its lease ends. */
export interface JobRecord extends QueuePlace {
  readonly job: JobFacts
  readonly queuedMs: number
  readonly placed: Placed
}

/**
 * What the reports of a job have in common, remembered from one to the next. For reports only: no
 * decision reads it. Bounded; what falls out is told without these facts.
 */
export interface JobRecords {
  queued(jobId: JobId, place: QueuePlace): void
  /** The job does not wait any more. */
  takeQueued(jobId: JobId): QueuePlace
  dispatched(leaseId: LeaseId, record: JobRecord): void
  /** Undefined for a lease of an earlier leader. */
  takeDispatched(leaseId: LeaseId): JobRecord | undefined
}

const CAPACITY = 50_000
const NEVER_QUEUED: QueuePlace = { position: 0, predictedStartMs: 0 }

export const createJobRecords = (): JobRecords => {
  const waiting = createRecent<JobId, QueuePlace>(CAPACITY)
  const running = createRecent<LeaseId, JobRecord>(CAPACITY)
  return {
    queued: (jobId, place) => waiting.set(jobId, place),
    takeQueued: (jobId) => {
      const place = waiting.get(jobId)
      waiting.delete(jobId)
      return place ?? NEVER_QUEUED
    },
    dispatched: (leaseId, record) => running.set(leaseId, record),
    takeDispatched: (leaseId) => {
      const record = running.get(leaseId)
      running.delete(leaseId)
      return record
    },
  }
}
