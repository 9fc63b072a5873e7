import type { JobId, ModelId } from '@berth/kernel'
import { createLine, insert, remove, type Line } from './line.ts'
import type { JobClass, JobOffer, WaitingJob } from './waiting-job.ts'

/** The settings of admission. */
export interface AdmissionPolicy {
  /** Jobs that may wait per model and class. */
  readonly capacity: number
  /** What a full queue does: refuse the newcomer, or drop the oldest batch job for it. */
  readonly fullPolicy: 'reject' | 'drop-lru'
  /** After this long a batch job stands in the interactive line. */
  readonly promoteAfterMs: number
}

/** Source: design, 256 per model and class, promotion after 5 minutes. */
export const DEFAULT_ADMISSION_POLICY: AdmissionPolicy = {
  capacity: 256,
  fullPolicy: 'reject',
  promoteAfterMs: 300_000,
}

/** How a job that was admitted left. With `rejected`, these are all the ends there are. */
export type Departure = 'dispatched' | 'evicted' | 'cancelled' | 'expired'

/** What became of an offer. */
export type Admission<Payload> =
  /** `evicted` made room under `drop-lru`; its owner must be told. */
  | {
      readonly kind: 'queued'
      readonly job: WaitingJob<Payload>
      readonly evicted?: WaitingJob<Payload>
    }
  | { readonly kind: 'rejected'; readonly reason: 'queue_full' | 'duplicate' }

interface ModelQueue<Payload> {
  readonly interactive: Line<Payload>
  readonly batch: Line<Payload>
  /** By the class a job came with: promotion frees no room in the batch queue. */
  readonly counts: Record<JobClass, number>
}

/** Jobs that wait, by model. Changed only through the functions of this file. */
export interface AdmissionQueue<Payload> {
  readonly policy: AdmissionPolicy
  readonly jobs: Map<JobId, WaitingJob<Payload>>
  /** Only models somebody waits for. */
  readonly models: Map<ModelId, ModelQueue<Payload>>
  /** Jobs by how they ended, since the start. */
  readonly outcomes: Record<Departure | 'rejected', number>
}

/** A queue nobody waits in. */
export const createAdmissionQueue = <Payload>(
  policy: AdmissionPolicy = DEFAULT_ADMISSION_POLICY,
): AdmissionQueue<Payload> => ({
  policy,
  jobs: new Map(),
  models: new Map(),
  outcomes: { dispatched: 0, evicted: 0, cancelled: 0, expired: 0, rejected: 0 },
})

/** Admits a job to the queue of its model and class, in order of arrival, or refuses it. */
export const offer = <Payload>(
  queue: AdmissionQueue<Payload>,
  candidate: JobOffer<Payload>,
): Admission<Payload> => {
  if (queue.jobs.has(candidate.jobId)) return reject(queue, 'duplicate')
  const model = queue.models.get(candidate.modelId) ?? createModelQueue<Payload>()
  const isFull = model.counts[candidate.jobClass] >= roomFor(queue, model, candidate.jobClass)
  const victim = isFull ? chooseVictim(queue, model) : undefined
  if (isFull && !victim) return reject(queue, 'queue_full')
  if (victim) leave(queue, victim.jobId, 'evicted')

  const job: WaitingJob<Payload> = {
    ...candidate,
    line: candidate.jobClass,
    orderMs: candidate.arrivedAtMs,
    previous: undefined,
    next: undefined,
  }
  insert(model[job.line], job)
  model.counts[job.jobClass] += 1
  queue.models.set(job.modelId, model)
  queue.jobs.set(job.jobId, job)
  return victim ? { kind: 'queued', job, evicted: victim } : { kind: 'queued', job }
}

/**
 * Ends the wait of a job, in constant time. Undefined when it does not wait (any more), so that
 * each job is counted under exactly one outcome.
 */
export const leave = <Payload>(
  queue: AdmissionQueue<Payload>,
  jobId: JobId,
  departure: Departure,
): WaitingJob<Payload> | undefined => {
  const job = queue.jobs.get(jobId)
  if (!job) return undefined
  queue.jobs.delete(jobId)
  const model = queue.models.get(job.modelId)!
  remove(model[job.line], job)
  model.counts[job.jobClass] -= 1
  if (model.counts.interactive + model.counts.batch === 0) queue.models.delete(job.modelId)
  queue.outcomes[departure] += 1
  return job
}

/** Counts a job that was refused, or dispatched, without ever waiting. */
export const countUnqueued = (
  queue: AdmissionQueue<unknown>,
  outcome: 'dispatched' | 'rejected',
): void => {
  queue.outcomes[outcome] += 1
}

const createModelQueue = <Payload>(): ModelQueue<Payload> => ({
  interactive: createLine(),
  batch: createLine(),
  counts: { interactive: 0, batch: 0 },
})

const reject = (queue: AdmissionQueue<unknown>, reason: 'queue_full' | 'duplicate') => {
  queue.outcomes.rejected += 1
  return { kind: 'rejected', reason } as const
}

/** What interactive jobs hold beyond their own room is taken from the room of batch jobs. */
const roomFor = (queue: AdmissionQueue<unknown>, model: ModelQueue<unknown>, of: JobClass) => {
  const { capacity } = queue.policy
  const overflow = of === 'batch' ? Math.max(0, model.counts.interactive - capacity) : 0
  return capacity - overflow
}

/** The batch job that makes room. An interactive job never does. */
const chooseVictim = <Payload>(
  queue: AdmissionQueue<Payload>,
  model: ModelQueue<Payload>,
): WaitingJob<Payload> | undefined =>
  queue.policy.fullPolicy === 'drop-lru' ? model.batch.first : undefined
