import type { JobId, ModelId } from '@berth/kernel'
import {
  admissionPolicy,
  DEFAULT_ADMISSION_POLICY,
  tenantWeight,
  type AdmissionPolicy,
  type QueueState,
} from './admission-policy.ts'
import { createFairLines, put, take, type FairLines } from './fair-lines.ts'
import type { JobClass, JobOffer, WaitingJob } from './waiting-job.ts'

/** How a job that was queued left. With `rejected` at the door, these are all the ends there are. */
export type Departure = 'dispatched' | 'rejected' | 'evicted' | 'cancelled' | 'expired'

/** What became of an offer. */
export type Admission<Payload> =
  /** `evicted` made room under `drop-lru`; its owner must be told. */
  | {
      readonly kind: 'queued'
      readonly job: WaitingJob<Payload>
      readonly evicted?: WaitingJob<Payload>
    }
  | {
      readonly kind: 'rejected'
      readonly reason: 'duplicate' | 'queue_full'
      /** Empty for a duplicate. */
      readonly policyLabel: string
      /** 0 for a duplicate. */
      readonly retryAfterMs: number
    }

/** One class of a model: its lines, and what it was served as a whole. */
export interface ClassQueue<Payload> extends FairLines<Payload> {
  /** Served tokens divided by the weight of the class, where classes have weights. */
  counter: number
  /** The part of it that running jobs only claim to take. */
  claimed: number
}

/** The jobs of a model that wait. */
export interface ModelQueue<Payload> {
  readonly interactive: ClassQueue<Payload>
  readonly batch: ClassQueue<Payload>
  /** By the class a job came with: promotion frees no room in the batch queue. */
  readonly counts: Record<JobClass, number>
  /** Jobs that were dispatched and are not over. */
  running: number
  /** The class that was served last. */
  served: JobClass
}

/** Jobs that wait, by model. Changed only through the functions of this lib. */
export interface AdmissionQueue<Payload> {
  /** May be replaced at any time; it counts from the next offer. */
  policy: AdmissionPolicy
  readonly jobs: Map<JobId, WaitingJob<Payload>>
  /** Only models somebody waits for or is served by. */
  readonly models: Map<ModelId, ModelQueue<Payload>>
  /** Jobs by how they ended, since the start. */
  readonly outcomes: Record<Departure, number>
  /** Jobs that were ever queued. */
  sequence: number
}

/** A queue nobody waits in. */
export const createAdmissionQueue = <Payload>(
  policy: AdmissionPolicy = DEFAULT_ADMISSION_POLICY,
): AdmissionQueue<Payload> => ({
  policy,
  jobs: new Map(),
  models: new Map(),
  outcomes: { dispatched: 0, rejected: 0, evicted: 0, cancelled: 0, expired: 0 },
  sequence: 0,
})

/** What the queue needs to know of an offer beside the job. */
export interface OfferTerms {
  /** When it would probably start, from now: what a refusal says. Default 1. */
  readonly predictedStartMs?: number
  /** It was admitted before: a full queue does not refuse it, within bounds. */
  readonly isReadmitted?: boolean
}

/** Admits a job to the line of its model, class and tenant, in order of arrival, or refuses it. */
export const offer = <Payload>(
  queue: AdmissionQueue<Payload>,
  candidate: JobOffer<Payload>,
  terms: OfferTerms = {},
): Admission<Payload> => {
  if (queue.jobs.has(candidate.jobId)) {
    queue.outcomes.rejected += 1
    return { kind: 'rejected', reason: 'duplicate', policyLabel: '', retryAfterMs: 0 }
  }
  const { capacity, fullPolicy } = queue.policy
  const verdict = admissionPolicy(stateFor(queue, candidate, terms), capacity, fullPolicy)
  if (verdict.kind === 'reject') {
    queue.outcomes.rejected += 1
    return { ...verdict, kind: 'rejected', reason: 'queue_full' }
  }
  const victim = verdict.hasToEvict ? oldestBatch(queue, candidate.modelId) : undefined
  if (victim) leave(queue, victim.jobId, 'evicted')
  const job = enqueue(queue, candidate)
  return victim ? { kind: 'queued', job, evicted: victim } : { kind: 'queued', job }
}

/**
 * Ends the wait of a job, in O(log tenants). Undefined when it does not wait (any more), so that
 * each job is counted under exactly one outcome. One that is dispatched is charged first, see
 * `serve`.
 */
export const leave = <Payload>(
  queue: AdmissionQueue<Payload>,
  jobId: JobId,
  departure: Exclude<Departure, 'dispatched'>,
): WaitingJob<Payload> | undefined => {
  const job = dequeue(queue, jobId)
  if (job) queue.outcomes[departure] += 1
  return job
}

/** Counts a job that was refused without ever waiting. */
export const countRejected = (queue: AdmissionQueue<unknown>): void => {
  queue.outcomes.rejected += 1
}

/**
 * Puts a job into its line, whatever stands there already. For one that stays for a look at the
 * queue with it; `dequeue` takes it out again.
 */
export const enqueue = <Payload>(
  queue: AdmissionQueue<Payload>,
  candidate: JobOffer<Payload>,
): WaitingJob<Payload> => {
  const job: WaitingJob<Payload> = {
    ...candidate,
    line: candidate.jobClass,
    orderMs: candidate.arrivedAtMs,
    sequence: (queue.sequence += 1),
    previous: undefined,
    next: undefined,
  }
  const model = modelQueue(queue, job.modelId)
  stand(model, job, job.line)
  model.counts[job.jobClass] += 1
  queue.jobs.set(job.jobId, job)
  return job
}

/** Takes a job out without counting it. */
export const dequeue = <Payload>(
  queue: AdmissionQueue<Payload>,
  jobId: JobId,
): WaitingJob<Payload> | undefined => {
  const job = queue.jobs.get(jobId)
  if (!job) return undefined
  queue.jobs.delete(jobId)
  const model = queue.models.get(job.modelId)!
  take(model[job.line], job)
  model.counts[job.jobClass] -= 1
  forgetQuiet(queue, job.modelId)
  return job
}

/** Puts a job into a line of its model. A class that did not wait is lifted as a tenant is. */
export const stand = <Payload>(
  model: ModelQueue<Payload>,
  job: WaitingJob<Payload>,
  line: JobClass,
): void => {
  liftClass(model, line)
  job.line = line
  put(model[line], job)
}

/** A class nobody waits in does not save up turns. */
export const liftClass = (model: ModelQueue<unknown>, line: JobClass): void => {
  const other = line === 'interactive' ? 'batch' : 'interactive'
  if (model[line].length > 0) return
  if (model[other].length === 0 && model.served === line) return
  const floor = model[other].counter - model[other].claimed
  model[line].counter = Math.max(model[line].counter, floor)
}

/** The queue of a model; made when it is the first time, or the first time after it was quiet. */
export const modelQueue = <Payload>(
  queue: AdmissionQueue<Payload>,
  modelId: ModelId,
): ModelQueue<Payload> => {
  const known = queue.models.get(modelId)
  if (known) return known
  const model: ModelQueue<Payload> = {
    interactive: { ...createFairLines<Payload>(), counter: 0, claimed: 0 },
    batch: { ...createFairLines<Payload>(), counter: 0, claimed: 0 },
    counts: { interactive: 0, batch: 0 },
    running: 0,
    served: 'interactive',
  }
  queue.models.set(modelId, model)
  return model
}

/** With nobody waiting and nobody served, nobody owes anybody a turn. */
export const forgetQuiet = (queue: AdmissionQueue<unknown>, modelId: ModelId): void => {
  const model = queue.models.get(modelId)
  if (model && model.running + model.interactive.length + model.batch.length === 0) {
    queue.models.delete(modelId)
  }
}

/** The batch job that makes room. An interactive job never does, nor one that was promoted. */
const oldestBatch = <Payload>(queue: AdmissionQueue<Payload>, modelId: ModelId) =>
  queue.models.get(modelId)?.batch.oldest.first?.first

const stateFor = (
  queue: AdmissionQueue<unknown>,
  { modelId, jobClass, tenant }: JobOffer<unknown>,
  { predictedStartMs = 1, isReadmitted = false }: OfferTerms,
): QueueState => {
  const model = queue.models.get(modelId)
  return {
    jobClass,
    waiting: model?.counts ?? { interactive: 0, batch: 0 },
    tenantWaiting: model?.[jobClass].tenants.get(tenant)?.length ?? 0,
    tenantShare: model ? shareOf(queue.policy, model[jobClass], tenant) : 1,
    hasVictim: oldestBatch(queue, modelId) !== undefined,
    isReadmitted,
    predictedStartMs,
  }
}

/** Only a queue that runs full asks for it. */
const shareOf = (policy: AdmissionPolicy, lines: FairLines<unknown>, tenant: string): number => {
  if (lines.length < policy.capacity / 2) return 1
  const own = tenantWeight(policy, tenant)
  let all = own
  for (const other of lines.tenants.keys()) {
    if (other !== tenant) all += tenantWeight(policy, other)
  }
  return own / all
}
