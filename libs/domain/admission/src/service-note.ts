import type { JobId, ModelId } from '@berth/kernel'
import { tenantWeight } from './admission-policy.ts'
import {
  dequeue,
  forgetQuiet,
  liftClass,
  modelQueue,
  type AdmissionQueue,
  type ModelQueue,
} from './admission-queue.ts'
import { charge, settle, type Price, type TenantLine } from './fair-lines.ts'
import type { JobClass, JobOffer, WaitingJob } from './waiting-job.ts'

/**
 * What a dispatched job was charged. Its owner keeps it until the job is over and gives it to
 * `endService` once.
 */
export interface ServiceNote {
  readonly modelId: ModelId
  readonly line: JobClass
  /** What it was charged with. */
  readonly tokens: number
  /** What that was for its tenant and for its class, by the weights of that moment. */
  readonly tenantPrice: Price
  readonly classPrice: Price
  readonly tenantWeight: number
  readonly classWeight: number
  readonly model: ModelQueue<unknown>
  readonly tenantLine: TenantLine<unknown>
  isOpen: boolean
}

/** What is dispatched without ever waiting. */
export type Passing = Pick<JobOffer<unknown>, 'modelId' | 'jobClass' | 'tenant' | 'costTokens'>

/** Dispatches a job that waits: charges its tenant and class, then takes it out. */
export const serve = (queue: AdmissionQueue<unknown>, jobId: JobId): ServiceNote | undefined => {
  const job = queue.jobs.get(jobId)
  if (!job) return undefined
  // Charged first: a tenant that leaves its line by this would be lifted to those who stay.
  const note = beginService(queue, job, job.line)
  dequeue(queue, jobId)
  return note
}

/** Dispatches a job that never waited, at the same price. */
export const serveAtOnce = (queue: AdmissionQueue<unknown>, job: Passing): ServiceNote =>
  beginService(queue, job, job.jobClass)

/**
 * A dispatched job is over: what it was charged gives way to what it really took. Without
 * `tokens` nobody knows, and the charge stands. Nothing the second time.
 */
export const endService = (
  queue: AdmissionQueue<unknown>,
  note: ServiceNote,
  tokens = note.tokens,
): void => {
  if (!note.isOpen) return
  note.isOpen = false
  const { model, line } = note
  const correction = tokens - note.tokens
  model[line].claimed -= note.classPrice.claimed
  model[line].counter += correction / note.classWeight
  settle(model[line], note.tenantLine, note.tenantPrice, correction / note.tenantWeight)
  model.running -= 1
  forgetQuiet(queue, note.modelId)
}

const beginService = (
  queue: AdmissionQueue<unknown>,
  job: Passing | WaitingJob<unknown>,
  line: JobClass,
): ServiceNote => {
  const { modelId, costTokens: tokens } = job
  const weight = tenantWeight(queue.policy, job.tenant)
  const classWeight = queue.policy.priorityWeights?.[line] ?? 1
  const [tenantPrice, classPrice] = [priceOf(tokens, weight), priceOf(tokens, classWeight)]
  const model = modelQueue(queue, modelId)
  liftClass(model, line)
  model[line].counter += classPrice.amount
  model[line].claimed += classPrice.claimed
  model.served = line
  model.running += 1
  queue.outcomes.dispatched += 1
  const tenantLine = charge(model[line], job.tenant, tenantPrice)
  return {
    ...{ modelId, line, tokens, classWeight, model, tenantLine, tenantPrice, classPrice },
    tenantWeight: weight,
    isOpen: true,
  }
}

/**
 * Nobody checks what a client says its job will take before the job is over; as much as this is
 * believed of anyone.
 */
export const BELIEVED_TOKENS = 512

const priceOf = (tokens: number, weight: number): Price => ({
  amount: tokens / weight,
  claimed: Math.max(0, tokens - BELIEVED_TOKENS) / weight,
})
