import type { JobId, ModelId } from '@berth/kernel'
import { tenantWeight, type AdmissionPolicy } from './admission-policy.ts'
import {
  dequeue,
  enqueue,
  leave,
  stand,
  type AdmissionQueue,
  type ClassQueue,
} from './admission-queue.ts'
import { take, type TenantLine } from './fair-lines.ts'
import { createHeap } from './heap.ts'
import { compareAge, type JobClass, type JobOffer, type WaitingJob } from './waiting-job.ts'

/**
 * The jobs of a model in the order they will be served when each goes as soon as it is its turn:
 * every job counts as charged for those behind it. The queue must not change while this is read.
 */
export function* inOrder<Payload>(
  queue: AdmissionQueue<Payload>,
  modelId: ModelId,
): Generator<WaitingJob<Payload>, undefined> {
  const model = queue.models.get(modelId)
  if (!model) return undefined
  const interactive = linesInOrder(queue.policy, model.interactive)
  const batch = linesInOrder(queue.policy, model.batch)
  const weights = queue.policy.priorityWeights
  if (!weights) {
    yield* interactive
    yield* batch
    return undefined
  }
  const counters = { interactive: model.interactive.counter, batch: model.batch.counter }
  let [first, second] = [interactive.next(), batch.next()]
  while (!first.done || !second.done) {
    const isFirst = !first.done && (second.done || counters.interactive <= counters.batch)
    const job = (isFirst ? first : second).value!
    counters[job.line] += job.costTokens / weights[job.line]
    yield job
    if (isFirst) first = interactive.next()
    else second = batch.next()
  }
  return undefined
}

/**
 * How many jobs are really served before this one; undefined when it does not wait. Looks at jobs
 * behind it of its own tenant, and at those before it of tenants that are served more slowly.
 */
export const jobsAhead = (queue: AdmissionQueue<unknown>, jobId: JobId): number | undefined => {
  const job = queue.jobs.get(jobId)
  if (!job) return undefined
  const model = queue.models.get(job.modelId)!
  if (queue.policy.priorityWeights) return placeOf(job, inOrder(queue, job.modelId))
  const lines = model[job.line]
  const own = lines.tenants.get(job.tenant)!
  let [ahead, costTokens] = [own.length - 1, own.costTokens - job.costTokens]
  for (let behind = job.next; behind; behind = behind.next) {
    ahead -= 1
    costTokens -= behind.costTokens
  }
  const turn: Turn = { job, key: own.counter + costTokens / tenantWeight(queue.policy, job.tenant) }
  for (const line of lines.next.items) {
    if (line !== own) ahead += countBefore(line, tenantWeight(queue.policy, line.tenant), turn)
  }
  return ahead + (job.line === 'batch' ? model.interactive.length : 0)
}

/** How many jobs would be served before this one if it were queued. */
export const jobsAheadOf = <Payload>(
  queue: AdmissionQueue<Payload>,
  candidate: JobOffer<Payload>,
): number => {
  if (!isWaitedFor(queue, candidate.modelId)) return 0
  const job = enqueue(queue, candidate)
  const ahead = jobsAhead(queue, job.jobId)!
  dequeue(queue, job.jobId)
  return ahead
}

/** Jobs that are served before this class gets to one that came last, tenants aside. */
export const depthAhead = (
  queue: AdmissionQueue<unknown>,
  modelId: ModelId,
  jobClass: JobClass,
): number => {
  const model = queue.models.get(modelId)
  if (!model) return 0
  return model.interactive.length + (jobClass === 'batch' ? model.batch.length : 0)
}

/** Whether a job waits for the model. */
export const isWaitedFor = (queue: AdmissionQueue<unknown>, modelId: ModelId): boolean =>
  depthOf(queue, modelId) > 0

/** Jobs that wait for the model. */
export const depthOf = (queue: AdmissionQueue<unknown>, modelId: ModelId): number => {
  const model = queue.models.get(modelId)
  return model ? model.interactive.length + model.batch.length : 0
}

/** The models somebody waits for. */
export const modelsWaitedFor = (queue: AdmissionQueue<unknown>): ModelId[] =>
  [...queue.models.keys()].filter((modelId) => isWaitedFor(queue, modelId))

/** Since when somebody stands in this line of a model; Infinity when nobody does. */
export const oldestMs = (
  queue: AdmissionQueue<unknown>,
  modelId: ModelId,
  line: JobClass,
): number => queue.models.get(modelId)?.[line].oldest.first?.first?.orderMs ?? Infinity

/**
 * Moves every batch job that has waited `promoteAfterMs` to the interactive line, behind those
 * of its tenant who stood there at that moment. Returns how many moved.
 */
export const promote = (queue: AdmissionQueue<unknown>, now: number): number => {
  let promoted = 0
  for (const model of queue.models.values()) {
    for (;;) {
      const job = model.batch.oldest.first?.first
      if (!job) break
      const promotedAtMs = job.arrivedAtMs + queue.policy.promoteAfterMs
      if (promotedAtMs > now) break
      take(model.batch, job)
      job.orderMs = promotedAtMs
      stand(model, job, 'interactive')
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

const placeOf = (job: WaitingJob<unknown>, order: Iterable<WaitingJob<unknown>>): number => {
  let ahead = 0
  for (const before of order) {
    if (before === job) break
    ahead += 1
  }
  return ahead
}

/** When a job is served: `key` is the counter of its tenant when those before it are. */
interface Turn {
  job: WaitingJob<unknown>
  key: number
}

const compareTurn = (a: Turn, b: Turn): number => a.key - b.key || compareAge(a.job, b.job)

/** Jobs of another tenant that are served before a turn. */
const countBefore = (line: TenantLine<unknown>, weight: number, turn: Turn): number => {
  const { first, last, counter } = line
  if (counter > turn.key) return 0
  const lastTurn = { job: last!, key: counter + (line.costTokens - last!.costTokens) / weight }
  if (compareTurn(lastTurn, turn) < 0) return line.length
  let [count, costTokens] = [0, 0]
  for (let job = first; job; job = job.next) {
    if (compareTurn({ job, key: counter + costTokens / weight }, turn) > 0) break
    count += 1
    costTokens += job.costTokens
  }
  return count
}

interface Cursor<Payload> extends Turn {
  job: WaitingJob<Payload>
  readonly counter: number
  /** What the jobs of the line before this one will be charged. */
  costTokens: number
}

function* linesInOrder<Payload>(
  policy: AdmissionPolicy,
  lines: ClassQueue<Payload>,
): Generator<WaitingJob<Payload>, undefined> {
  const cursors = createHeap<Cursor<Payload>>(compareTurn)
  for (const { first, counter } of lines.next.items) {
    cursors.put({ job: first!, key: counter, counter, costTokens: 0 })
  }
  for (let cursor = cursors.first; cursor; cursor = cursors.first) {
    const { job } = cursor
    yield job
    if (!job.next) {
      cursors.drop(cursor)
      continue
    }
    cursor.costTokens += job.costTokens
    cursor.key = cursor.counter + cursor.costTokens / tenantWeight(policy, job.tenant)
    cursor.job = job.next
    cursors.put(cursor)
  }
  return undefined
}
