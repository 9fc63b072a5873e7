import type { UnloadModelRequest } from '@berth/contract'
import type { OperationEnd, Operations } from '../commands/operations.ts'
import type { Pool } from '../pool/pool.ts'

/**
 * Unloads the only model of an engine: its requests may end, then the engine is stopped. When they
 * outlive the deadline and are not to be ended, the pool takes requests again.
 */
export const unloadByStop = async (
  pool: Pool,
  { deadlineMs, isForced }: UnloadModelRequest,
  { operationId, operations }: { readonly operationId: string; readonly operations: Operations },
): Promise<void> => {
  const mayEnd = isForced || pool.slots.active === 0
  const drainMs = mayEnd && pool.slots.active > 0 ? deadlineMs : 0
  operations.step(operationId, { step: 'drain', percent: 0 })
  if (!mayEnd) {
    pool.dispatch({ kind: 'drain', deadlineMs, onDeadline: 'abort' })
    if (!(await isDrained(pool))) return operations.end(operationId, outlived(pool))
  }
  pool.dispatch({ kind: 'stop', drainMs })
  // The drain was for the sake of the stop: the next start takes requests.
  if (!mayEnd) pool.dispatch({ kind: 'undrain' })
  operations.step(operationId, { step: 'stop', percent: 50 })
  operations.end(operationId, await stopped(pool))
}

/** False: it takes requests again, which a drain that is given up does. */
const isDrained = (pool: Pool): Promise<boolean> =>
  new Promise((resolve) => {
    const end = (isEmpty: boolean) => {
      for (const cancel of cancels) cancel()
      resolve(isEmpty)
    }
    const look = () => {
      if (pool.supervised.state.kind === 'ready') end(false)
    }
    const cancels = [pool.onChange(look), pool.slots.whenIdle(() => end(true))]
  })

/** A stop has its own limits: it always comes to an end. */
const stopped = (pool: Pool): Promise<OperationEnd> =>
  new Promise((resolve) => {
    const look = () => {
      const { kind } = pool.supervised.state
      if (kind !== 'stopped' && kind !== 'ready') return
      cancel()
      resolve(
        kind === 'stopped'
          ? { kind: 'completed' }
          : { kind: 'cancelled', reason: 'CANCELLED', message: 'The pool was started meanwhile.' },
      )
    }
    const cancel = pool.onChange(look)
    queueMicrotask(look)
  })

const outlived = ({ slots }: Pool): OperationEnd => ({
  kind: 'failed',
  reason: 'ACTIVE_REQUESTS',
  message:
    `${slots.active} requests outlived the deadline, and the pool takes requests again. ` +
    'Ask again with a longer deadline, or with force to end them.',
})
