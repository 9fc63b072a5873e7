import {
  OperationType,
  OperationTypeSchema,
  type CommandHeader,
  type Operation,
} from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { SupervisionEvent } from '@berth/supervision'
import type { Authority } from '../ingress/authority.ts'
import type { Pool } from '../pool/pool.ts'
import { withModel } from '../pools-file/with-model.ts'
import { createFirstAnswers } from './first-answers.ts'
import { followOperation } from './follow-operation.ts'
import type { Operations } from './operations.ts'

/** What every command says. */
export interface Command {
  readonly header?: CommandHeader | undefined
  readonly poolId: string
}

/** A change that an operation follows. */
export interface OperationCommand {
  readonly type: OperationType
  readonly request: Command
  readonly correlationId: string
  readonly eventFor: (pool: Pool) => SupervisionEvent
  /** The model it is about, where it is about one. */
  readonly modelRefOf?: (pool: Pool) => string
  /** What clients call it, where that does not follow from the model. */
  readonly modelIdOf?: (pool: Pool) => string
}

/** Work on a pool that is no change of it. */
export interface OperationWork extends Omit<OperationCommand, 'eventFor'> {
  /** Throws what the caller is to be told. */
  readonly check: (pool: Pool) => void
  /** Ends the operation. */
  readonly work: (pool: Pool, operation: Operation) => Promise<void>
}

/** Runs commands on pools: fenced by term, harmless when repeated, one operation per pool. */
export interface PoolCommands {
  /** Throws `POOL_NOT_FOUND`. */
  find(poolId: string): Pool
  /** Throws `STALE_TERM`. A key that was used before gets its first answer again. */
  once<T>(name: string, request: Command, work: (pool: Pool) => Promise<T>): Promise<T>
  /** Answers at once with the operation that follows the change. */
  operate(command: OperationCommand): Promise<{ operation: Operation }>
  /** Answers at once with an operation that changes nothing of the pool, and is carried out here. */
  carryOut(command: OperationWork): Promise<{ operation: Operation }>
  /** Changes at once: the operation is over when it answers. */
  change(command: OperationCommand): Promise<{ pool: Pool; operation: Operation }>
}

export const createPoolCommands = (on: {
  readonly pools: ReadonlyMap<string, Pool>
  readonly authority: Authority
  readonly operations: Operations
}): PoolCommands => {
  const { pools, authority, operations } = on
  const answers = createFirstAnswers()

  const find = (poolId: string): Pool => pools.get(poolId) ?? refuseUnknown(poolId)
  const once = async <T>(name: string, request: Command, work: (pool: Pool) => Promise<T>) => {
    authority.admit(Number(request.header?.term ?? 0n))
    const key = request.header?.idempotencyKey ?? ''
    return answers.once(key && `${name} ${request.poolId} ${key}`, () => work(find(request.poolId)))
  }
  const open = (command: Omit<OperationCommand, 'eventFor'>, pool: Pool) =>
    operations.begin(wantedOf(command, pool))
  const begin = (command: OperationCommand, pool: Pool): Operation => {
    const { type } = command
    const current = operations.current(pool.spec.poolId)
    if (current && isSame(current, command, pool)) {
      // Whoever drains again may set another deadline.
      if (type === OperationType.DRAIN) pool.dispatch(command.eventFor(pool))
      return current
    }
    if (current && type !== OperationType.STOP) throw inProgress(current)
    if (current) operations.end(current.operationId, overtaken(type))
    const operation = open(command, pool)
    const before = pool.instance?.instanceId
    pool.dispatch(command.eventFor(pool))
    followOperation(pool, operation, { operations, before })
    return operations.get(operation.operationId)
  }
  return {
    find,
    once,
    operate: (command) =>
      once(nameOf(command.type), command.request, async (pool) => {
        if (command.type !== OperationType.DRAIN) refuseUnmanaged(pool)
        return { operation: begin(command, pool) }
      }),
    carryOut: ({ check, work, ...command }) =>
      once(nameOf(command.type), command.request, async (pool) => {
        const current = operations.current(pool.spec.poolId)
        // Who asks for the same model again is told of the same work.
        if (current && command.modelRefOf && isSame(current, command, pool))
          return { operation: current }
        if (current) throw inProgress(current)
        check(pool)
        const operation = open(command, pool)
        void work(pool, operation)
        return { operation }
      }),
    change: (command) =>
      once(nameOf(command.type), command.request, async (pool) => {
        const current = operations.current(pool.spec.poolId)
        const ends = command.type === OperationType.UNDRAIN
        if (ends && current?.type === OperationType.DRAIN)
          operations.end(current.operationId, overtaken(command.type))
        const { operationId } = open(command, pool)
        pool.dispatch(command.eventFor(pool))
        operations.end(operationId, { kind: 'completed' })
        return { pool, operation: operations.get(operationId) }
      }),
  }
}

const refuseUnknown = (poolId: string): never => {
  throw new BerthError(
    'POOL_NOT_FOUND',
    `This host has no pool ${JSON.stringify(poolId.slice(0, 80))}.`,
  )
}

const wantedOf = (
  { type, request, correlationId, modelRefOf, modelIdOf }: Omit<OperationCommand, 'eventFor'>,
  pool: Pool,
) => {
  const modelRef = modelRefOf?.(pool) ?? pool.spec.modelRef
  return {
    ...{ type, modelRef, correlationId },
    poolId: pool.spec.poolId,
    modelId: modelIdOf?.(pool) ?? withModel(pool.spec, modelRef).engine.modelId ?? '',
    term: Number(request.header?.term ?? 0n),
    idempotencyKey: request.header?.idempotencyKey ?? '',
  }
}

const isSame = (
  current: Operation,
  { type, modelRefOf, modelIdOf }: Omit<OperationCommand, 'eventFor'>,
  pool: Pool,
): boolean =>
  current.type === type &&
  (modelRefOf === undefined || current.modelRef === modelRefOf(pool)) &&
  (modelIdOf === undefined || current.modelId === modelIdOf(pool))

const refuseUnmanaged = ({ spec }: Pool) => {
  if (spec.engine.mode === 'managed') return
  throw new BerthError(
    'UNSUPPORTED_OPERATION',
    `Pool ${spec.poolId} is ${spec.engine.mode}: Berth does not start or stop its engine. ` +
      (spec.unit ? `Use systemctl with ${spec.unit}.` : 'Do it where the engine is run.'),
    { facts: { pool_id: spec.poolId, mode: spec.engine.mode } },
  )
}

const inProgress = (operation: Operation) =>
  new BerthError(
    'OPERATION_IN_PROGRESS',
    `Pool ${operation.poolId} has another operation under way, ${nameOf(operation.type)} ` +
      `${operation.operationId}. Wait for its end, or stop the pool.`,
    { facts: { operation_id: operation.operationId, pool_id: operation.poolId } },
  )

const overtaken = (type: OperationType) =>
  ({
    kind: 'cancelled',
    reason: 'CANCELLED',
    message: `Overtaken by ${nameOf(type)}.`,
  }) as const

const nameOf = (type: OperationType): string =>
  OperationTypeSchema.value[type]?.localName.toLowerCase() ?? String(type)
