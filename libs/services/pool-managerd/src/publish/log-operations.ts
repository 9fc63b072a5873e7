import { OperationStatusSchema, OperationTypeSchema, type Operation } from '@berth/contract'
import type { Logger } from '@berth/runtime'
import { isOver } from '../commands/operations.ts'

/** Logs each step of each operation, and how it ended, with the id of the request that asked. */
export const logOperations =
  (log: Logger) =>
  (operation: Operation, correlationId: string): void => {
    const { operationId, poolId, type, status, step, errorReason, errorMessage } = operation
    const facts = {
      operation_id: operationId,
      pool_id: poolId,
      type: OperationTypeSchema.value[type]?.localName.toLowerCase(),
      status: OperationStatusSchema.value[status]?.localName.toLowerCase(),
      step,
      correlation_id: correlationId,
      ...(errorReason === '' ? {} : { reason: errorReason, last_error: errorMessage }),
    }
    log.info(facts, isOver(operation) ? 'operation ended' : 'operation goes on')
  }
