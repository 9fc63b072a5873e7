import type { Operation } from '@berth/contract'
import { isOver, type Operations } from './operations.ts'
import { createWaker } from './waker.ts'

/** The operation as it is, then after changes, ending with its last. Slow readers see fewer. */
export async function* watchOperation(
  operations: Operations,
  operationId: string,
  signal: AbortSignal,
): AsyncGenerator<Operation> {
  let seen: Operation | undefined
  using waker = createWaker(signal)
  const stop = operations.onChange((operation) => {
    if (operation.operationId === operationId) waker.wake()
  })
  try {
    while (!signal.aborted) {
      const operation = operations.get(operationId)
      if (operation !== seen) yield operation
      if (isOver(operation)) return
      seen = operation
      await waker.woken()
    }
  } finally {
    stop()
  }
}
