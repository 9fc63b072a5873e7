import { OperationType, type Operation } from '@berth/contract'
import { loadMessage } from '../publish/load-message.ts'
import { messageOf } from '@berth/kernel'
import type { Pool } from '../pool/pool.ts'
import { progressOf } from './operation-progress.ts'
import type { OperationEnd, Operations } from './operations.ts'
import { notKept, reloadOutcome } from './reload-outcome.ts'

/** Ends an operation when the pool has become what it asked for, or cannot any more. */
export const followOperation = (
  pool: Pool,
  operation: Operation,
  { operations, before }: { readonly operations: Operations; readonly before: string | undefined },
): void => {
  const { operationId, type } = operation
  const look = () => {
    const end = endOf(pool, type, before)
    if (end) {
      stop()
      return conclude(pool, operation, end, operations)
    }
    const progress = progressOf(type, pool.supervised)
    if (progress) operations.step(operationId, progress)
  }
  const cancels = [
    pool.onChange(look),
    pool.loads.onProgress((progress) => {
      if (LOADS.has(type)) operations.loading(operationId, { load: loadMessage(progress) })
    }),
    operations.onChange((changed) => {
      if (changed.operationId === operationId && changed.completedAtMs) stop()
    }),
  ]
  const stop = () => {
    for (const cancel of cancels) cancel()
  }
  if (type === OperationType.DRAIN) cancels.push(pool.slots.whenIdle(look))
  look()
}

/** A new model is told as done once an agent that is started again would serve it as well. */
const conclude = (pool: Pool, operation: Operation, end: OperationEnd, operations: Operations) => {
  const { operationId, type } = operation
  if (type !== OperationType.RELOAD || end.kind !== 'completed')
    return operations.end(operationId, end)
  const { spec } = pool
  void pool.modelKept.then(
    () => operations.end(operationId, end),
    (error: unknown) => operations.end(operationId, notKept(spec, messageOf(error))),
  )
}

/** Operations that bring a model into the engine. */
const LOADS: ReadonlySet<OperationType> = new Set([
  OperationType.START,
  OperationType.RESTART,
  OperationType.RELOAD,
])

const COMPLETED: OperationEnd = { kind: 'completed' }

const endOf = (
  pool: Pool,
  type: OperationType,
  before: string | undefined,
): OperationEnd | undefined => {
  const { state, lastError } = pool.supervised
  switch (type) {
    case OperationType.DRAIN:
      if (state.kind === 'ready') return outlived(pool)
      return pool.slots.active === 0 ? COMPLETED : undefined
    case OperationType.STOP:
      if (state.kind === 'stopped') return COMPLETED
      return state.kind === 'ready' ? superseded('started') : undefined
    case OperationType.START:
    case OperationType.RESTART:
      if (state.kind === 'failed')
        return { kind: 'failed', reason: 'ENGINE_FAILED', message: lastError }
      if (state.kind === 'stopped') return superseded('stopped')
      if (state.kind !== 'ready' && state.kind !== 'draining') return undefined
      return type === OperationType.START || state.instanceId !== before ? COMPLETED : undefined
    case OperationType.RELOAD:
      return reloadOutcome(pool)
    default:
      return undefined
  }
}

const outlived = ({ slots }: Pool): OperationEnd => ({
  kind: 'failed',
  reason: 'ACTIVE_REQUESTS',
  message:
    `${slots.active} requests outlived the drain, and the pool takes requests again. ` +
    'Ask again with a longer deadline_ms, or with on_deadline "force".',
})

const superseded = (what: string): OperationEnd => ({
  kind: 'cancelled',
  reason: 'CANCELLED',
  message: `The pool was ${what} meanwhile.`,
})
