import type { Operation } from '@berth/contract'
import { isOver, type Operations } from './operations.ts'

/** The operation as it is, then after each change, ending with its last. Slow readers see fewer. */
export async function* watchOperation(
  operations: Operations,
  operationId: string,
  signal: AbortSignal,
): AsyncGenerator<Operation> {
  let latest: Operation | undefined = operations.get(operationId)
  let wake = () => {}
  const stop = operations.onChange((operation) => {
    if (operation.operationId !== operationId) return
    latest = operation
    wake()
  })
  const onAbort = () => wake()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    while (!signal.aborted) {
      const operation = latest
      latest = undefined
      if (operation) yield operation
      if (operation && isOver(operation)) return
      if (latest === undefined && !signal.aborted)
        await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    stop()
    signal.removeEventListener('abort', onAbort)
  }
}
