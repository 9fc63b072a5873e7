import {
  DrainDeadline,
  OperationType,
  OperationTypeSchema,
  PoolManagerService,
  Residency,
  type CommandHeader,
  type HostSnapshot,
  type ModelResidency,
  type Operation,
  type Pool as PoolMessage,
} from '@berth/contract'
import { BerthError, type Clock } from '@berth/kernel'
import { LEASE_KEY_BYTES } from '@berth/lease'
import { implement, type CallContext, type Handlers, type RpcService } from '@berth/rpc'
import type { SupervisionEvent } from '@berth/supervision'
import type { Authority } from '../ingress/authority.ts'
import type { Pool } from '../pool/pool.ts'
import { ensureHealthy } from './ensure-healthy.ts'
import { createFirstAnswers } from './first-answers.ts'
import { followOperation } from './follow-operation.ts'
import type { Operations } from './operations.ts'
import { tailRing } from './tail-log.ts'
import { watchOperation } from './watch-operation.ts'

export interface PoolManagerOptions {
  readonly epoch: number
  readonly clock: Clock
  readonly pools: ReadonlyMap<string, Pool>
  readonly authority: Authority
  readonly operations: Operations
  takeSnapshot(): HostSnapshot
  describe(pool: Pool): PoolMessage
}

interface Command {
  readonly header?: CommandHeader | undefined
  readonly poolId: string
}

/** Draining without a deadline of the caller's. */
const DRAIN_DEFAULT_MS = 300_000

/** The commands of this host's owner side: decode, ask the pool, encode. */
export const poolManagerService = (options: PoolManagerOptions): RpcService => {
  const { pools, authority, operations, clock, describe } = options
  const answers = createFirstAnswers()

  const find = (poolId: string): Pool => {
    const pool = pools.get(poolId)
    if (pool) return pool
    throw new BerthError(
      'POOL_NOT_FOUND',
      `This host has no pool ${JSON.stringify(poolId.slice(0, 80))}.`,
    )
  }
  const command = <T>(name: string, request: Command, work: (pool: Pool) => Promise<T>) => {
    authority.admit(Number(request.header?.term ?? 0n))
    const key = request.header?.idempotencyKey ?? ''
    return answers.once(key && `${name} ${request.poolId} ${key}`, () => work(find(request.poolId)))
  }
  const operate = (
    type: OperationType,
    request: Command,
    { correlationId }: CallContext,
    eventFor: (pool: Pool) => SupervisionEvent,
  ): Promise<{ operation: Operation }> =>
    command(nameOf(type), request, async (pool) => {
      if (type !== OperationType.DRAIN) refuseUnmanaged(pool)
      const current = operations.current(pool.spec.poolId)
      if (current && current.type === type) return { operation: current }
      if (current && type !== OperationType.STOP) throw inProgress(current)
      if (current) operations.end(current.operationId, overtaken(type))
      const operation = operations.begin({
        type,
        poolId: pool.spec.poolId,
        modelId: pool.spec.engine.modelId ?? '',
        term: Number(request.header?.term ?? 0n),
        idempotencyKey: request.header?.idempotencyKey ?? '',
        correlationId,
      })
      const before = pool.instance?.instanceId
      pool.dispatch(eventFor(pool))
      followOperation(pool, operation, { operations, before })
      return { operation: operations.get(operation.operationId) }
    })

  const handlers: Handlers<typeof PoolManagerService> = {
    getHost: async () => ({ host: options.takeSnapshot() }),
    getStatus: async ({ poolId }) => ({ pool: describe(find(poolId)) }),
    listLoadedModels: async ({ poolId }) => ({
      models: (poolId === '' ? [...pools.values()] : [find(poolId)]).flatMap((pool) =>
        describe(pool).models.flatMap((model) =>
          isLoaded(model) ? [{ poolId: pool.spec.poolId, model }] : [],
        ),
      ),
    }),
    ensureHealthy: (request, { signal, deadlineMs }) =>
      command('ENSURE', { poolId: request.poolId, ...withTermOnly(request) }, async (pool) => {
        const limit = deadlineMs === undefined ? {} : { deadlineMs }
        await ensureHealthy(pool, { clock, signal, ...limit })
        return { pool: describe(pool) }
      }),
    start: (request, context) =>
      operate(OperationType.START, request, context, () => ({ kind: 'start' })),
    stop: (request, context) => operate(OperationType.STOP, request, context, graceful('stop')),
    restart: (request, context) =>
      operate(OperationType.RESTART, request, context, graceful('restart')),
    resetRestarts: (request) =>
      command('RESET', request, async (pool) => {
        pool.dispatch({ kind: 'reset_restarts' })
        return { pool: describe(pool) }
      }),
    drain: (request, context) =>
      operate(OperationType.DRAIN, request, context, () => ({
        kind: 'drain',
        deadlineMs: request.deadlineMs || DRAIN_DEFAULT_MS,
        onDeadline: request.onDeadline === DrainDeadline.ABORT ? 'abort' : 'force',
      })),
    undrain: (request) =>
      command('UNDRAIN', request, async (pool) => {
        pool.dispatch({ kind: 'undrain' })
        return { pool: describe(pool) }
      }),
    watchOperation: async function* ({ operationId }, { signal }) {
      for await (const operation of watchOperation(operations, operationId, signal))
        yield { operation }
    },
    tailLog: async function* ({ poolId, lines, follow }, { signal }) {
      const wanted = { count: lines, isFollowing: follow, signal }
      for await (const batch of tailRing(find(poolId).ring, wanted)) yield { lines: [...batch] }
    },
    installLeaseKey: async ({ term, keyId, key, epoch }) => {
      if (Number(epoch) !== options.epoch) throw staleEpoch(options.epoch)
      if (key.length !== LEASE_KEY_BYTES || !/^[\w-]{1,32}$/.test(keyId))
        throw new BerthError(
          'INVALID_PARAMS',
          `A lease key has an id of 1 to 32 of [A-Za-z0-9_-] and ${LEASE_KEY_BYTES} bytes.`,
        )
      authority.install(Number(term), { keyId, key })
      return { keyIds: authority.keys.map((installed) => installed.keyId) }
    },
  }
  return implement(PoolManagerService, handlers)
}

const graceful =
  (kind: 'stop' | 'restart') =>
  (pool: Pool): SupervisionEvent => ({ kind, drainMs: pool.spec.engine.shutdownGraceMs })

/** Waiting for ready is no change: each call waits anew, whatever its key. */
const withTermOnly = ({ header }: { readonly header?: CommandHeader | undefined }) =>
  header ? { header: { ...header, idempotencyKey: '' } } : {}

const isLoaded = ({ residency }: ModelResidency): boolean =>
  residency === Residency.RESIDENT || residency === Residency.DRAINING

const refuseUnmanaged = ({ spec }: Pool) => {
  if (spec.engine.mode === 'managed') return
  throw new BerthError(
    'UNSUPPORTED_OPERATION',
    `Pool ${spec.poolId} is ${spec.engine.mode}: Berth does not start or stop its engine.`,
  )
}

const inProgress = (operation: Operation) =>
  new BerthError(
    'OPERATION_IN_PROGRESS',
    `Pool ${operation.poolId} has another operation under way: ${operation.operationId}.`,
    { facts: { operation_id: operation.operationId } },
  )

const overtaken = (type: OperationType) =>
  ({
    kind: 'cancelled',
    reason: 'CANCELLED',
    message: `Overtaken by ${nameOf(type)}.`,
  }) as const

const nameOf = (type: OperationType): string =>
  OperationTypeSchema.value[type]?.localName.toLowerCase() ?? String(type)

const staleEpoch = (epoch: number) =>
  new BerthError('STALE_EPOCH', `This host is in epoch ${epoch}: the key is meant for another.`, {
    facts: { epoch },
  })
