import { create } from '@bufbuild/protobuf'
import {
  OperationStatus,
  ReloadRequestSchema,
  type EnsureHealthyRequest,
  type Operation,
  type ReloadRequest,
} from '@berth/contract'
import { BerthError, isReason } from '@berth/kernel'
import type { CallContext } from '@berth/rpc'
import { refuseActive } from '../models-in-engine/refuse-change.ts'
import type { Pool } from '../pool/pool.ts'
import type { Operations } from './operations.ts'
import { watchOperation } from './watch-operation.ts'

export interface EnsureModelMeans {
  readonly reload: (
    request: ReloadRequest,
    context: CallContext,
  ) => Promise<{ readonly operation: Operation }>
  readonly operations: Operations
  readonly context: CallContext
}

/**
 * Resolves when the pool has the model that is asked for, or none is. Throws `ACTIVE_REQUESTS`
 * while requests of another one run, and what the change of model failed with.
 */
export const ensureModel = async (
  pool: Pool,
  { header, poolId, modelRef }: EnsureHealthyRequest,
  { reload, operations, context }: EnsureModelMeans,
): Promise<void> => {
  // An engine of many models takes one more once it is up.
  if (modelRef === '' || modelRef === pool.spec.modelRef || pool.keeper?.ownsModel) return
  const { modelId = '' } = pool.spec.engine
  refuseActive(poolId, { deadlineMs: 0, isForced: false, modelId }, pool.slots.active)
  const request = create(ReloadRequestSchema, { poolId, newModelRef: modelRef })
  if (header) request.header = header
  const { operation } = await reload(request, context)
  let last = operation
  for await (const seen of watchOperation(operations, operation.operationId, context.signal))
    last = seen
  if (last.status === OperationStatus.COMPLETED || context.signal.aborted) return
  const { errorReason: reason, errorMessage } = last
  throw new BerthError(isReason(reason) ? reason : 'MODEL_LOAD_FAILED', errorMessage)
}
