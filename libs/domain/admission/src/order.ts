import type { JobId, ModelId } from '@berth/kernel'
import { leave, type AdmissionQueue } from './admission-queue.ts'
import { insert, remove } from './line.ts'
import type { JobClass, WaitingJob } from './waiting-job.ts'

/** The jobs of a model in the order they will be served. Read it; take with `leave`. */
export function* inOrder<Payload>(
  queue: AdmissionQueue<Payload>,
  modelId: ModelId,
): Generator<WaitingJob<Payload>, undefined> {
  const model = queue.models.get(modelId)
  if (!model) return undefined
  for (const line of [model.interactive, model.batch]) {
    for (let job = line.first; job;) {
      // Taken first: the reader may remove the job it holds.
      const next: WaitingJob<Payload> | undefined = job.next
      yield job
      job = next
    }
  }
  return undefined
}

/** How many jobs are really served before this one; undefined when it does not wait. */
export const jobsAhead = <Payload>(
  queue: AdmissionQueue<Payload>,
  jobId: JobId,
): number | undefined => {
  const job = queue.jobs.get(jobId)
  if (!job) return undefined
  let ahead = job.line === 'batch' ? queue.models.get(job.modelId)!.interactive.length : 0
  for (let before = job.previous; before; before = before.previous) ahead += 1
  return ahead
}

/** Jobs that would be served before one of this class that arrived last. */
export const depthAhead = (
  queue: AdmissionQueue<unknown>,
  modelId: ModelId,
  jobClass: JobClass,
): number => {
  const model = queue.models.get(modelId)
  if (!model) return 0
  return model.interactive.length + (jobClass === 'batch' ? model.batch.length : 0)
}

/**
 * Moves every batch job that has waited `promoteAfterMs` to the interactive line, behind those
 * who stood there at that moment. Returns how many moved.
 */
export const promote = (queue: AdmissionQueue<unknown>, now: number): number => {
  let promoted = 0
  for (const model of queue.models.values()) {
    for (let job = model.batch.first; job; job = model.batch.first) {
      const promotedAtMs = job.arrivedAtMs + queue.policy.promoteAfterMs
      if (promotedAtMs > now) break
      remove(model.batch, job)
      job.line = 'interactive'
      job.orderMs = promotedAtMs
      insert(model.interactive, job)
      promoted += 1
    }
  }
  return promoted
}

/** Ends the wait of every job whose time is over, and returns them. */
export const expire = <Payload>(
  queue: AdmissionQueue<Payload>,
  now: number,
): WaitingJob<Payload>[] => {
  const expired: WaitingJob<Payload>[] = []
  for (const job of queue.jobs.values()) if (job.expiresAtMs <= now) expired.push(job)
  for (const job of expired) leave(queue, job.jobId, 'expired')
  return expired
}

/** Jobs that wait, by class. */
export const depths = (queue: AdmissionQueue<unknown>): Record<JobClass, number> => {
  const total = { interactive: 0, batch: 0 }
  for (const { counts } of queue.models.values()) {
    total.interactive += counts.interactive
    total.batch += counts.batch
  }
  return total
}
