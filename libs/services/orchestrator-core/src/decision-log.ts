import type { JobId, ModelId, PoolId } from '@berth/kernel'
import type { Decision, PlacementReason, Tally } from '@berth/placement'
import { createRecent } from './recent.ts'

/** Jobs whose last decision is remembered. */
export const DECISIONS_MAX = 1_000

/** The last decision on a job. */
export interface DecisionEntry {
  readonly jobId: JobId
  readonly correlationId: string
  readonly modelId: ModelId
  /** Unix milliseconds. */
  readonly decidedAtMs: number
  readonly kind: Decision['kind']
  /** Where it went; absent unless `assigned`. */
  readonly poolId: PoolId | undefined
  /** Why it went nowhere; absent when `assigned`. */
  readonly reason: PlacementReason | undefined
  /** 0 unless `assigned`. */
  readonly predictedEndMs: number
  readonly isPinned: boolean
  readonly isFallback: boolean
  /** Decisions taken for the job so far, as long as it was remembered. */
  readonly attempts: number
  /** What the decision looked at; of a job that waits, when it was last said for another reason. */
  readonly tally: Tally
}

/** The last decision of each of the last thousand jobs. */
export interface DecisionLog {
  note(entry: DecisionEntry): void
  ofJob(jobId: string): DecisionEntry | undefined
  /** The last one of a request: it may have been several jobs. */
  ofCorrelation(correlationId: string): DecisionEntry | undefined
}

/** A log of no decisions yet. The oldest leaves when `capacity` is reached. */
export const createDecisionLog = (capacity = DECISIONS_MAX): DecisionLog => {
  const entries = createRecent<string, DecisionEntry>(capacity)
  const jobs = createRecent<string, JobId>(capacity)
  return {
    note: (entry) => {
      entries.set(entry.jobId, entry)
      if (entry.correlationId !== '') jobs.set(entry.correlationId, entry.jobId)
    },
    ofJob: (jobId) => entries.get(jobId),
    ofCorrelation: (correlationId) => {
      const jobId = jobs.get(correlationId)
      return jobId === undefined ? undefined : entries.get(jobId)
    },
  }
}
