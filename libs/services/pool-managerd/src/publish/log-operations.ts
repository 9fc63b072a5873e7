import { OperationStatusSchema, OperationTypeSchema, type Operation } from '@berth/contract'
import type { Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import { isOver } from '../commands/operations.ts'

/** A step that goes on is logged again after so long (003-NFR-016: every 10 to 20 s). */
const AGAIN_MS = 15_000

/**
 * Logs each step of each operation, what goes on within a long one now and then, and how it
 * ended, with the id of the request that asked.
 */
export const logOperations = (log: Logger, clock: Clock) => {
  const told = new Map<string, { readonly step: string; readonly at: number }>()
  return (operation: Operation, correlationId: string): void => {
    const { operationId, poolId, type, status, step, errorReason, errorMessage } = operation
    const last = told.get(operationId)
    const at = clock.now()
    if (isOver(operation)) told.delete(operationId)
    else if (last?.step === step && at - last.at < AGAIN_MS) return
    else told.set(operationId, { step, at })
    const facts = {
      operation_id: operationId,
      pool_id: poolId,
      type: OperationTypeSchema.value[type]?.localName.toLowerCase(),
      status: OperationStatusSchema.value[status]?.localName.toLowerCase(),
      step,
      correlation_id: correlationId,
      ...loadFacts(operation),
      ...(errorReason === '' ? {} : { reason: errorReason, last_error: errorMessage }),
    }
    log.info(facts, isOver(operation) ? 'operation ended' : 'operation goes on')
  }
}

const loadFacts = ({ load, modelRef }: Operation) =>
  load && {
    model_ref: modelRef,
    progress_percent: Math.floor(load.progressPercent),
    bytes_downloaded: numberOf(load.bytesDownloaded),
    total_bytes: numberOf(load.totalBytes),
  }

const numberOf = (bytes: bigint | undefined) => (bytes === undefined ? undefined : Number(bytes))
