import { OperationType, type Operation } from '@berth/contract'
import type { Pool } from '../pool/pool.ts'
import type { OperationEnd, Operations } from './operations.ts'

/** Ends an operation when the pool has become what it asked for, or cannot any more. */
export const followOperation = (
  pool: Pool,
  operation: Operation,
  { operations, before }: { readonly operations: Operations; readonly before: string | undefined },
): void => {
  const look = () => {
    const end = endOf(pool, operation.type, before)
    if (!end) return operations.step(operation.operationId, pool.supervised.state.kind)
    stop()
    operations.end(operation.operationId, end)
  }
  const cancels = [
    pool.onChange(look),
    operations.onChange((changed) => {
      if (changed.operationId === operation.operationId && changed.completedAtMs) stop()
    }),
  ]
  const stop = () => {
    for (const cancel of cancels) cancel()
  }
  if (operation.type === OperationType.DRAIN) cancels.push(pool.slots.whenIdle(look))
  look()
}

const COMPLETED: OperationEnd = { kind: 'completed' }

const endOf = (
  pool: Pool,
  type: OperationType,
  before: string | undefined,
): OperationEnd | undefined => {
  const { state, lastError } = pool.supervised
  switch (type) {
    case OperationType.DRAIN:
      if (state.kind === 'ready')
        return {
          kind: 'failed',
          reason: 'ACTIVE_REQUESTS',
          message: 'Requests outlived the drain.',
        }
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
    default:
      return undefined
  }
}

const superseded = (what: string): OperationEnd => ({
  kind: 'cancelled',
  reason: 'CANCELLED',
  message: `The pool was ${what} meanwhile.`,
})
