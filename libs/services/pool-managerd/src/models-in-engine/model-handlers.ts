import { create } from '@bufbuild/protobuf'
import {
  OperationType,
  ReloadRequestSchema,
  type LoadModelRequest,
  type Operation,
  type PoolManagerService,
  type ReloadRequest,
  type UnloadModelRequest,
} from '@berth/contract'
import type { CallContext, Handlers } from '@berth/rpc'
import type { Operations } from '../commands/operations.ts'
import type { PoolCommands } from '../commands/pool-commands.ts'
import type { Pool } from '../pool/pool.ts'
import { followJob } from './follow-job.ts'
import { refuseActive, refuseLoad, refuseUnload, refuseUnloadByStop } from './refuse-change.ts'
import { unloadByStop } from './unload-by-stop.ts'
import { goesBeside, refToLoad, wantedBy } from './wanted-by.ts'

type Reload = (
  request: ReloadRequest,
  context: CallContext,
) => Promise<{ readonly operation: Operation }>
type ModelHandlers = Pick<Handlers<typeof PoolManagerService>, 'loadModel' | 'unloadModel'>

/**
 * Models that come and go by command: into an engine that holds several without a restart, into
 * any other by the change of model, or the start and stop, that it takes.
 */
export const modelHandlers = (
  commands: PoolCommands,
  on: {
    readonly operations: Operations
    readonly reload: Reload
  },
): ModelHandlers => ({
  loadModel: async (request, context) => {
    const pool = commands.find(request.poolId)
    return goesBeside(pool, request)
      ? commands.carryOut({ ...loading(request, on), correlationId: context.correlationId })
      : loadByRestart(pool, request, context, { commands, ...on })
  },
  unloadModel: async (request, { correlationId }) => {
    const { keeper, spec } = commands.find(request.poolId)
    const isBeside = keeper && (keeper.ownsModel || request.modelId !== spec.engine.modelId)
    const how = isBeside ? unloading(request, on) : unloadingByStop(request, on)
    return commands.carryOut({ ...how, correlationId })
  },
})

type Following = { readonly operations: Operations }

const loading = (request: LoadModelRequest, { operations }: Following) => ({
  ...{ type: OperationType.LOAD, request },
  modelRefOf: (pool: Pool) => wantedBy(pool, request).modelRef,
  modelIdOf: (pool: Pool) => wantedBy(pool, request).modelId,
  check: (pool: Pool) => refuseLoad(pool, wantedBy(pool, request)),
  work: (pool: Pool, { operationId }: { readonly operationId: string }) =>
    followJob(() => pool.keeper!.load(wantedBy(pool, request)), operationId, operations),
})

/** The model that the pool has is there once it runs; for another one its engine starts anew. */
const loadByRestart = async (
  pool: Pool,
  request: LoadModelRequest,
  context: CallContext,
  { commands, reload }: { readonly commands: PoolCommands; readonly reload: Reload },
) => {
  const { header, poolId, deadlineMs } = request
  const newModelRef = refToLoad(pool, request)
  if (newModelRef === pool.spec.modelRef && !pool.supervised.reload) {
    const { correlationId } = context
    const eventFor = () => ({ kind: 'start' }) as const
    return commands.operate({ type: OperationType.START, request, correlationId, eventFor })
  }
  const { modelId = '' } = pool.spec.engine
  refuseActive(poolId, { deadlineMs, isForced: false, modelId }, pool.slots.active)
  const asReload = create(ReloadRequestSchema, { poolId, newModelRef, deadlineMs })
  if (header) asReload.header = header
  return reload(asReload, context)
}

const unloading = (request: UnloadModelRequest, { operations }: Following) => {
  const { modelId, deadlineMs, isForced } = request
  return {
    ...{ type: OperationType.UNLOAD, request },
    modelRefOf: ({ keeper }: Pool) => keeper?.find(modelId)?.wanted?.modelRef ?? '',
    modelIdOf: ({ keeper }: Pool) => keeper?.find(modelId)?.modelId ?? modelId,
    check: (pool: Pool) => refuseUnload(pool, request),
    work: ({ keeper }: Pool, { operationId }: { readonly operationId: string }) => {
      const id = keeper?.find(modelId)?.modelId ?? modelId
      return followJob(() => keeper!.unload(id, { deadlineMs, isForced }), operationId, operations)
    },
  }
}

const unloadingByStop = (request: UnloadModelRequest, { operations }: Following) => ({
  ...{ type: OperationType.UNLOAD, request },
  modelRefOf: ({ spec }: Pool) => spec.modelRef,
  check: (pool: Pool) => refuseUnloadByStop(pool, request),
  work: (pool: Pool, { operationId }: { readonly operationId: string }) =>
    unloadByStop(pool, request, { operationId, operations }),
})
