import { PoolManagerService } from '@berth/contract'
import type { HostView } from '@berth/fleet'
import { BerthError } from '@berth/kernel'
import { createClient, type Client } from '@berth/rpc'

/** Connections to agents kept for the next command. */
const KEPT_MAX = 256
const DEADLINE_MS = 3_000

/** How a command reaches the agent of a host. */
export type AgentClient = Client<typeof PoolManagerService>

/** Where commands to agents go out. */
export interface AgentClients extends Disposable {
  /** A unary call. An agent that does not answer is `POOL_UNAVAILABLE`, with its host's name. */
  ask<T>(host: HostView, call: (client: AgentClient) => Promise<T>): Promise<T>
  /** A stream, on a connection of its own that ends with it. */
  follow<T>(host: HostView, call: (client: AgentClient) => AsyncIterable<T>): AsyncIterable<T>
}

/** Clients by address; the one not used for longest goes when there are too many. */
export const createAgentClients = (): AgentClients => {
  const clients = new Map<string, AgentClient & Disposable>()
  const connect = (address: string) =>
    createClient(PoolManagerService, { address, defaultDeadlineMs: DEADLINE_MS })
  const clientOf = (address: string): AgentClient => {
    const client = clients.get(address) ?? connect(address)
    clients.delete(address)
    clients.set(address, client)
    const [oldest] = clients
    if (oldest && clients.size > KEPT_MAX) {
      clients.delete(oldest[0])
      oldest[1][Symbol.dispose]()
    }
    return client
  }
  return {
    ask: async (host, call) => {
      try {
        return await call(clientOf(host.snapshot.grpcAddress))
      } catch (error) {
        throw toError(host, error)
      }
    },
    follow: async function* (host, call) {
      using client = connect(host.snapshot.grpcAddress)
      try {
        yield* call(client)
      } catch (error) {
        throw toError(host, error)
      }
    },
    [Symbol.dispose]: () => {
      for (const client of clients.values()) client[Symbol.dispose]()
      clients.clear()
    },
  }
}

const toError = ({ hostId, snapshot }: HostView, thrown: unknown): BerthError => {
  const error = BerthError.from(thrown)
  switch (error.reason) {
    case 'RPC_UNAVAILABLE':
    case 'RPC_DEADLINE':
      return new BerthError(
        'POOL_UNAVAILABLE',
        `The agent of host ${hostId} at ${snapshot.grpcAddress} does not answer. ` +
          'Check that pool-managerd runs there and can be reached.',
        { retryAfterMs: 2_000, facts: { host_id: hostId }, cause: error },
      )
    case 'STALE_TERM':
      return new BerthError('NOT_LEADER', `Host ${hostId} has met a later leader than this core.`, {
        cause: error,
      })
    default:
      return error
  }
}
