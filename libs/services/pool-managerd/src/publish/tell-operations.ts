import type { Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { Operations } from '../commands/operations.ts'
import type { AgentEvents } from './agent-events.ts'
import { logOperations } from './log-operations.ts'
import { paceOperations } from './pace-operations.ts'
import type { Publisher } from './publisher.ts'

/** Tells log, event stream and snapshot of every change of an operation, each at its pace. */
export const tellOperations = (
  operations: Operations,
  to: {
    readonly log: Logger
    readonly clock: Clock
    readonly events: AgentEvents
    readonly publisher: Publisher
  },
): Disposable => {
  const logOperation = logOperations(to.log, to.clock)
  const paced = paceOperations(to.clock, to.events.operationChanged)
  const stop = operations.onChange((operation, correlationId) => {
    logOperation(operation, correlationId)
    paced.changed(operation, correlationId)
    to.publisher.changed('urgent')
  })
  return {
    [Symbol.dispose]: () => {
      stop()
      paced[Symbol.dispose]()
    },
  }
}
