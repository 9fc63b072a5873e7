import type { Operation } from '@berth/contract'
import type { Cancel, Clock } from '@berth/kernel'
import { isOver } from '../commands/operations.ts'

/** Progress of one operation is told at most twice a second. */
const BETWEEN_MS = 500

type Tell = (operation: Operation, correlationId: string) => void

/** Tells a beginning and an end at once, and what is in between at a pace that people can read. */
export const paceOperations = (
  clock: Clock,
  tell: Tell,
): { readonly changed: Tell } & Disposable => {
  const pending = new Map<string, { latest: (() => void) | undefined; readonly cancel: Cancel }>()

  const rest = (operationId: string) => {
    const cancel = clock.after(BETWEEN_MS, () => {
      const entry = pending.get(operationId)
      pending.delete(operationId)
      if (!entry?.latest) return
      entry.latest()
      rest(operationId)
    })
    pending.set(operationId, { latest: undefined, cancel })
  }
  return {
    changed: (operation, correlationId) => {
      const { operationId } = operation
      const entry = pending.get(operationId)
      if (isOver(operation)) {
        entry?.cancel()
        pending.delete(operationId)
        return tell(operation, correlationId)
      }
      if (entry) entry.latest = () => tell(operation, correlationId)
      else {
        tell(operation, correlationId)
        rest(operationId)
      }
    },
    [Symbol.dispose]: () => {
      for (const { cancel } of pending.values()) cancel()
      pending.clear()
    },
  }
}
