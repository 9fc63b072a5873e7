import { BerthError } from '@berth/kernel'
import type { OperationEnd, Operations } from '../commands/operations.ts'
import { loadMessage } from '../publish/load-message.ts'
import type { JobFailure, ModelJob } from './model-job.ts'

/** Begins a job, shows how far it is in an operation, and ends that as the job ends. */
export const followJob = async (
  begin: () => ModelJob,
  operationId: string,
  operations: Operations,
): Promise<void> => {
  try {
    const job = begin()
    const tell = () => {
      const { step, progress } = job
      if (!progress) return operations.step(operationId, { step, percent: 0 })
      const percent = Math.floor(progress.percent)
      operations.loading(operationId, { step, percent, load: loadMessage(progress) })
    }
    job.onChange(tell)
    tell()
    // Whoever ended the operation, a stop above all, does not want the rest.
    const stop = operations.onChange((changed) => {
      if (changed.operationId === operationId && changed.completedAtMs) job.cancel()
    })
    const failure = await job.ended
    stop()
    operations.end(operationId, failure ? endOf(failure) : { kind: 'completed' })
  } catch (error) {
    const { reason, message } = BerthError.from(error)
    operations.end(operationId, { kind: 'failed', reason, message })
  }
}

const endOf = ({ report, activeRequests, isNotKept }: JobFailure): OperationEnd => {
  const { kind, message } = report
  if (isNotKept === true) return { kind: 'failed', reason: 'INSUFFICIENT_DISK', message }
  if (activeRequests !== undefined)
    return {
      kind: 'failed',
      reason: 'ACTIVE_REQUESTS',
      message:
        `${activeRequests} requests outlived the deadline, and the model takes requests again. ` +
        'Ask again with a longer deadline, or with force to end them.',
    }
  if (kind === 'stopped') return { kind: 'cancelled', reason: 'CANCELLED', message }
  const reason = kind === 'model_not_found' ? 'MODEL_NOT_FOUND' : 'MODEL_LOAD_FAILED'
  return { kind: 'failed', reason, message }
}
