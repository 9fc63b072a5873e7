import {
  FleetService,
  type CommandHostResponse,
  type FleetServiceFitModelResponse,
  type FleetServiceListModelFilesResponse,
  type PoolOperation,
} from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { createCoreClients, type CoreAddresses } from './core-clients.ts'

/** Core asks agents in its turn, for 8 s at most. */
const DEADLINE_MS = 10_000

interface HostCommand {
  readonly hostId: string
  readonly idempotencyKey: string
  /** As `model` in the pools file. */
  readonly modelRef: string
}

/** Model files of hosts, as a port. Fails with `BerthError` only. */
export interface ModelFilesAccess {
  /** `hostId` empty: of all hosts. Throws `HOST_NOT_FOUND`. */
  list(hostId: string, correlationId: string): Promise<FleetServiceListModelFilesResponse>
  /** The operation that brings the files. `digest` empty: any will do. */
  pull(
    command: HostCommand & { readonly digest: string },
    correlationId: string,
  ): Promise<PoolOperation>
  remove(command: HostCommand, correlationId: string): Promise<CommandHostResponse>
  /** `poolId` empty: of every pool; `modelRef` empty: of the pool's own model. */
  fit(
    request: { readonly modelRef: string; readonly poolId: string },
    correlationId: string,
  ): Promise<FleetServiceFitModelResponse>
}

/** Asks the leader, which passes questions and commands on to the agents. */
export const createModelFilesClient = (cores: CoreAddresses): ModelFilesAccess & Disposable => {
  const clients = createCoreClients(FleetService, cores)
  const { ask } = clients
  const optionsOf = (correlationId: string) => ({ correlationId, deadlineMs: DEADLINE_MS })
  return {
    list: (hostId, correlationId) =>
      ask((client) => client.listModelFiles({ hostId }, optionsOf(correlationId))),
    pull: async ({ hostId, idempotencyKey, ...value }, correlationId) => {
      const request = { hostId, idempotencyKey, command: { case: 'pull' as const, value } }
      const { operation } = await ask((client) =>
        client.commandHost(request, optionsOf(correlationId)),
      )
      if (operation?.operation) return operation
      throw new BerthError('INTERNAL', 'The placement service answered without an operation.')
    },
    remove: ({ hostId, idempotencyKey, modelRef }, correlationId) => {
      const command = { case: 'remove' as const, value: { modelRef } }
      const request = { hostId, idempotencyKey, command }
      return ask((client) => client.commandHost(request, optionsOf(correlationId)))
    },
    fit: (request, correlationId) =>
      ask((client) => client.fitModel(request, optionsOf(correlationId))),
    [Symbol.dispose]: () => clients[Symbol.dispose](),
  }
}
