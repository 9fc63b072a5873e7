import {
  DrainDeadline,
  OperationType,
  PoolManagerService,
  Residency,
  type BenchRequest,
  type DrainRequest,
  type HostSnapshot,
  type InstallLeaseKeyRequest,
  type ModelResidency,
  type Operation,
  type Pool as PoolMessage,
  type ReloadRequest,
} from '@berth/contract'
import { BerthError, type Clock } from '@berth/kernel'
import { LEASE_KEY_BYTES } from '@berth/lease'
import { implement, type CallContext, type Handlers, type RpcService } from '@berth/rpc'
import type { SupervisionEvent } from '@berth/supervision'
import type { Authority } from '../ingress/authority.ts'
import { fitHandlers, type FitMeans } from '../memory/fit-handlers.ts'
import { modelFileHandlers, type ModelFileCommands } from '../model-files/model-file-handlers.ts'
import { ensureLoaded } from '../models-in-engine/ensure-loaded.ts'
import { modelHandlers } from '../models-in-engine/model-handlers.ts'
import { refuseReload } from '../models-in-engine/refuse-change.ts'
import type { Pool } from '../pool/pool.ts'
import { refuseAsleep, sleepHandlers } from '../sleep/sleep-handlers.ts'
import { checkNewModel, writtenModel } from '../pools-file/with-model.ts'
import { refuseBench, runBench, type BenchOptions } from './bench-pool.ts'
import { ensureHealthy } from './ensure-healthy.ts'
import { ensureModel } from './ensure-model.ts'
import type { Operations } from './operations.ts'
import { createPoolCommands, type Command, type PoolCommands } from './pool-commands.ts'
import { tailRing } from './tail-log.ts'
import { watchOperation } from './watch-operation.ts'

export interface PoolManagerOptions extends FitMeans, Pick<ModelFileCommands, 'pulls'> {
  readonly hostId: string
  readonly epoch: number
  readonly clock: Clock
  readonly pools: ReadonlyMap<string, Pool>
  readonly authority: Authority
  readonly operations: Operations
  readonly takeSnapshot: () => HostSnapshot
  readonly describe: (pool: Pool) => PoolMessage
}

/** Draining without a deadline of the caller's. */
const DRAIN_DEFAULT_MS = 300_000

/** The commands of this host's owner side: decode, ask the pool, encode. */
export const poolManagerService = (options: PoolManagerOptions): RpcService => {
  const { pools, authority, operations, clock, describe } = options
  const commands = createPoolCommands(options)
  const change =
    (type: OperationType, eventFor: (pool: Pool) => SupervisionEvent) =>
    (request: Command, { correlationId }: CallContext) =>
      commands.operate({ type, request, correlationId, eventFor })
  const now =
    (type: OperationType, event: SupervisionEvent) =>
    async (request: Command, { correlationId }: CallContext) => {
      const eventFor = () => event
      const done = await commands.change({ type, request, correlationId, eventFor })
      return { pool: describe(done.pool), operation: done.operation }
    }

  const reload = (request: ReloadRequest, { correlationId }: CallContext) =>
    commands.operate({ type: OperationType.RELOAD, correlationId, ...reloading(request) })

  const handlers: Handlers<typeof PoolManagerService> = {
    getHost: async () => ({ host: options.takeSnapshot() }),
    getStatus: async ({ poolId }) => ({ pool: describe(commands.find(poolId)) }),
    listLoadedModels: async ({ poolId }) => ({
      models: (poolId === '' ? [...pools.values()] : [commands.find(poolId)])
        .map(describe)
        .flatMap(loadedOf),
    }),
    ensureHealthy: async (request, context) => {
      const { signal, deadlineMs } = context
      // Waiting changes nothing twice: callers share one start, whatever their keys.
      authority.admit(Number(request.header?.term ?? 0n))
      const pool = commands.find(request.poolId)
      await ensureModel(pool, request, { reload, operations, context })
      await ensureHealthy(pool, {
        clock,
        signal,
        ...(deadlineMs === undefined ? {} : { deadlineMs }),
      })
      if (request.modelRef !== '') await ensureLoaded(pool, request.modelRef, signal)
      return { pool: describe(pool) }
    },
    start: change(OperationType.START, () => ({ kind: 'start' })),
    stop: (request, context) =>
      change(OperationType.STOP, graceful('stop', request))(request, context),
    restart: (request, context) =>
      change(OperationType.RESTART, graceful('restart', request))(request, context),
    resetRestarts: now(OperationType.RESET_RESTARTS, { kind: 'reset_restarts' }),
    drain: (request, context) => {
      const eventFor = () => ({ kind: 'drain', ...drainOf(request) }) as const
      return change(OperationType.DRAIN, eventFor)(request, context)
    },
    undrain: async (request, context) => {
      refuseAsleep(commands.find(request.poolId))
      return now(OperationType.UNDRAIN, { kind: 'undrain' })(request, context)
    },
    reload,
    bench: (request, { correlationId }) =>
      commands.carryOut({ ...benching(request, { operations, clock }), correlationId }),
    ...watching(commands, operations),
    ...modelFileHandlers(options),
    ...modelHandlers(commands, { operations, reload }),
    ...sleepHandlers(commands, operations),
    ...fitHandlers(commands, options),
    installLeaseKey: async (request) => {
      installLeaseKey(request, options)
      return { keyIds: authority.keys.map(({ keyId }) => keyId) }
    },
  }
  return implement(PoolManagerService, handlers)
}

/** What only looks. */
const watching = (
  commands: PoolCommands,
  operations: Operations,
): Pick<Handlers<typeof PoolManagerService>, 'listOperations' | 'watchOperation' | 'tailLog'> => ({
  listOperations: async ({ poolId, operationId }) => ({
    operations: operations
      .list(poolId === '' ? undefined : commands.find(poolId).spec.poolId)
      .filter((operation) => operationId === '' || operation.operationId === operationId),
  }),
  watchOperation: async function* ({ operationId }, { signal }) {
    for await (const operation of watchOperation(operations, operationId, signal))
      yield { operation }
  },
  tailLog: async function* ({ poolId, lines, follow }, { signal }) {
    const wanted = { count: lines, isFollowing: follow, signal }
    for await (const batch of tailRing(commands.find(poolId).ring, wanted))
      yield { lines: [...batch] }
  },
})

const graceful =
  (kind: 'stop' | 'restart', { deadlineMs }: { readonly deadlineMs: number }) =>
  ({ spec }: Pool): SupervisionEvent => ({
    kind,
    drainMs: deadlineMs || spec.engine.shutdownGraceMs,
  })

const drainOf = ({ deadlineMs, onDeadline }: Pick<DrainRequest, 'deadlineMs' | 'onDeadline'>) =>
  ({
    deadlineMs: deadlineMs || DRAIN_DEFAULT_MS,
    onDeadline: onDeadline === DrainDeadline.ABORT ? 'abort' : 'force',
  }) as const

/** Whether the engine could serve the model is known before anything is drained for it. */
const reloading = (request: ReloadRequest) => {
  const modelRefOf = (pool: Pool): string => {
    const { spec, driver } = pool
    refuseReload(pool)
    const ref = request.newModelRef || writtenModel(spec)
    checkNewModel(spec, ref, driver)
    return ref
  }
  const eventFor = (pool: Pool): SupervisionEvent => ({
    kind: 'reload',
    model: modelRefOf(pool),
    ...drainOf(request),
  })
  return { request, modelRefOf, eventFor }
}

const benching = (request: BenchRequest, having: BenchOptions) => ({
  ...{ type: OperationType.BENCH, request },
  check: (pool: Pool) => refuseBench(pool, request.seconds),
  work: (pool: Pool, { operationId }: Operation) =>
    runBench(pool, { operationId, seconds: request.seconds }, having),
})

const loadedOf = ({ poolId, models }: PoolMessage) =>
  models.filter(isLoaded).map((model) => ({ poolId, model }))

const isLoaded = ({ residency }: ModelResidency): boolean =>
  residency === Residency.RESIDENT || residency === Residency.DRAINING

const installLeaseKey = (
  { term, keyId, key, epoch, hostId }: InstallLeaseKeyRequest,
  own: { readonly hostId: string; readonly epoch: number; readonly authority: Authority },
) => {
  if (hostId !== own.hostId)
    throw new BerthError(
      'HOST_NOT_FOUND',
      `This is host ${own.hostId}: the key is meant for ${JSON.stringify(hostId.slice(0, 63))}.`,
      { facts: { host_id: own.hostId } },
    )
  if (Number(epoch) !== own.epoch)
    throw new BerthError(
      'STALE_EPOCH',
      `This host is in epoch ${own.epoch}: the key is meant for another.`,
      { facts: { epoch: own.epoch } },
    )
  if (key.length !== LEASE_KEY_BYTES || !/^[\w-]{1,32}$/.test(keyId))
    throw new BerthError(
      'INVALID_PARAMS',
      `A lease key has an id of 1 to 32 of [A-Za-z0-9_-] and ${LEASE_KEY_BYTES} bytes.`,
    )
  own.authority.install(Number(term), { keyId, key })
}
