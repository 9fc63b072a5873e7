import type { ModelId } from '@berth/kernel'
import type { AdmissionQueue, ClassQueue, ModelQueue } from './admission-queue.ts'
import { createHeap } from './heap.ts'
import type { TenantLine } from './fair-lines.ts'
import { compareAge, type JobClass, type WaitingJob } from './waiting-job.ts'

/**
 * The jobs of a model, or of one of its lines, in the order they are to be tried. One that cannot
 * go is passed over and not charged: its tenant's next job follows. The reader may end the wait of
 * the job it was given, and of no other.
 */
export function* candidates<Payload>(
  queue: AdmissionQueue<Payload>,
  modelId: ModelId,
  line?: JobClass,
): Generator<WaitingJob<Payload>, undefined> {
  const model = queue.models.get(modelId)
  if (!model) return undefined
  if (line) return yield* candidatesOf(queue, model[line])
  if (queue.policy.priorityWeights) return yield* byWeight(queue, model)
  yield* candidatesOf(queue, model.interactive)
  return yield* candidatesOf(queue, model.batch)
}

/** Tries the class that was served least, by its weight; the other one where nobody of it can go. */
function* byWeight<Payload>(
  queue: AdmissionQueue<Payload>,
  model: ModelQueue<Payload>,
): Generator<WaitingJob<Payload>, undefined> {
  const turns = {
    interactive: candidatesOf(queue, model.interactive),
    batch: candidatesOf(queue, model.batch),
  }
  let left: JobClass[] = ['interactive', 'batch']
  while (left.length > 0) {
    const [first, second] = left as [JobClass, JobClass?]
    const line = second && model[second].counter < model[first].counter ? second : first
    const turn = turns[line].next()
    if (turn.done) left = left.filter((other) => other !== line)
    else yield turn.value
  }
  return undefined
}

interface Cursor<Payload> {
  readonly line: TenantLine<Payload>
  job: WaitingJob<Payload>
}

function* candidatesOf<Payload>(
  queue: AdmissionQueue<Payload>,
  lines: ClassQueue<Payload>,
): Generator<WaitingJob<Payload>, undefined> {
  // While nobody is passed over, the lines themselves know who is next.
  let passedOver: WaitingJob<Payload> | undefined
  while (!passedOver) {
    const job = lines.next.first?.first
    if (!job) return undefined
    yield job
    if (queue.jobs.get(job.jobId) === job) passedOver = job
  }
  const cursors = createHeap<Cursor<Payload>>(
    (a, b) => a.line.counter - b.line.counter || compareAge(a.job, b.job),
  )
  for (const line of lines.next.items) {
    const job = line.first === passedOver ? passedOver.next : line.first
    if (job) cursors.put({ line, job })
  }
  for (let cursor = cursors.first; cursor; cursor = cursors.first) {
    // Taken first: the reader may end the wait of the job it is given, and that charges its tenant.
    const { job } = cursor
    const { next } = job
    yield job
    if (!next) {
      cursors.drop(cursor)
      continue
    }
    cursor.job = next
    cursors.put(cursor)
  }
  return undefined
}
