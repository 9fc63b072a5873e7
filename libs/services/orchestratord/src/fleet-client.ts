import {
  FleetService,
  type FleetHost,
  type FleetModel,
  type FleetPool,
  type GetFleetStatusResponse,
} from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { createClient, type Client } from '@berth/rpc'

const DEADLINE_MS = 2_000
/** Connections kept; leaders outside the static list come and go. */
const MAX_CLIENTS = 16

/** What the control routes read of the fleet, as a port. Fails with `BerthError` only. */
export interface Fleet {
  listPools(correlationId: string): Promise<FleetPool[]>
  /** Throws `POOL_NOT_FOUND`. */
  getPool(poolId: string, correlationId: string): Promise<FleetPool>
  listHosts(correlationId: string): Promise<FleetHost[]>
  listModels(correlationId: string): Promise<FleetModel[]>
  getStatus(correlationId: string): Promise<GetFleetStatusResponse>
}

type FleetClient = Client<typeof FleetService> & Disposable

/** Reads from the leader while there is one, else from whichever core answers. */
export const createFleetClient = (options: {
  readonly addresses: readonly string[]
  leader(): string | undefined
}): Fleet & Disposable => {
  const clients = new Map<string, FleetClient>()
  const clientOf = (address: string): FleetClient => {
    const known = clients.get(address)
    if (known) return known
    const [oldest] = clients
    if (oldest && clients.size >= MAX_CLIENTS) {
      oldest[1][Symbol.dispose]()
      clients.delete(oldest[0])
    }
    const client = createClient(FleetService, { address, defaultDeadlineMs: DEADLINE_MS })
    clients.set(address, client)
    return client
  }
  const ask = async <T>(call: (client: FleetClient) => Promise<T>): Promise<T> => {
    const leader = options.leader()
    const order = new Set(leader === undefined ? options.addresses : [leader, ...options.addresses])
    for (const address of order) {
      try {
        return await call(clientOf(address))
      } catch (error) {
        if (!isAbsent(error)) throw error
      }
    }
    throw absent(options.addresses)
  }
  return {
    listPools: (correlationId) =>
      ask(async (client) => (await client.listPools({}, { correlationId })).pools),
    getPool: async (poolId, correlationId) => {
      const { pool } = await ask((client) => client.getPool({ poolId }, { correlationId }))
      if (pool) return pool
      throw new BerthError('POOL_NOT_FOUND', `There is no pool ${poolId}.`)
    },
    listHosts: (correlationId) =>
      ask(async (client) => (await client.listHosts({}, { correlationId })).hosts),
    listModels: (correlationId) =>
      ask(async (client) => (await client.listModels({}, { correlationId })).models),
    getStatus: (correlationId) => ask((client) => client.getFleetStatus({}, { correlationId })),
    [Symbol.dispose]: () => {
      for (const client of clients.values()) client[Symbol.dispose]()
      clients.clear()
    },
  }
}

const isAbsent = (error: unknown) => {
  const { reason } = BerthError.from(error)
  return reason === 'RPC_UNAVAILABLE' || reason === 'RPC_DEADLINE' || reason === 'NOT_LEADER'
}

const absent = (addresses: readonly string[]) =>
  new BerthError(
    'CONTROL_PLANE_UNAVAILABLE',
    `No placement service answers at ${addresses.join(', ')}. Check that orchestrator-core runs.`,
    { retryAfterMs: 2_000 },
  )
