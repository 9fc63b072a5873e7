import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  FleetService,
  type CommandPoolRequestSchema,
  type ListPoolOperationsResponse,
  type PoolOperation,
} from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { createCoreClients, type CoreAddresses } from './core-clients.ts'

/** Core asks an agent in its turn, for 3 s at most. */
const DEADLINE_MS = 5_000

/** One command to one pool. */
export type PoolCommand = MessageInitShape<typeof CommandPoolRequestSchema>

/** What the control routes do to pools, as a port. Fails with `BerthError` only. */
export interface PoolCommands {
  /** The operation that carries it out. */
  command(command: PoolCommand, correlationId: string): Promise<PoolOperation>
  /** What agents remember, the newest first; of one pool or of all. */
  operations(poolId: string, correlationId: string): Promise<ListPoolOperationsResponse>
  /** Throws `OPERATION_NOT_FOUND`. */
  operation(operationId: string, correlationId: string): Promise<PoolOperation>
  /** Its last lines, in batches; then, with `isFollowing`, what comes until `signal` aborts. */
  log(
    poolId: string,
    wanted: { readonly lines: number; readonly isFollowing: boolean; readonly signal: AbortSignal },
    correlationId: string,
  ): AsyncIterable<readonly string[]>
}

/** Asks the leader, which passes commands on to the agents. */
export const createPoolCommandsClient = (cores: CoreAddresses): PoolCommands & Disposable => {
  const clients = createCoreClients(FleetService, cores)
  const { ask, follow } = clients
  return {
    command: async (command, correlationId) => {
      const options = { correlationId, deadlineMs: DEADLINE_MS }
      return known((await ask((client) => client.commandPool(command, options))).operation)
    },
    operations: (poolId, correlationId) =>
      ask((client) =>
        client.listPoolOperations({ poolId }, { correlationId, deadlineMs: DEADLINE_MS }),
      ),
    operation: async (operationId, correlationId) => {
      const options = { correlationId, deadlineMs: DEADLINE_MS }
      const answer = await ask((client) => client.getPoolOperation({ operationId }, options))
      return known(answer.operation)
    },
    log: async function* (poolId, { lines, isFollowing, signal }, correlationId) {
      const options = { correlationId, signal, deadlineMs: isFollowing ? Infinity : DEADLINE_MS }
      for await (const batch of follow((client) =>
        client.tailPoolLog({ poolId, lines, follow: isFollowing }, options),
      ))
        yield batch.lines
    },
    [Symbol.dispose]: () => clients[Symbol.dispose](),
  }
}

const known = (operation: PoolOperation | undefined): PoolOperation => {
  if (operation?.operation) return operation
  throw new BerthError('INTERNAL', 'The placement service answered without an operation.')
}
