import {
  FleetService,
  type FleetHost,
  type FleetModel,
  type FleetPool,
  type GetFleetStatusResponse,
} from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { createCoreClients, type CoreAddresses } from './core-clients.ts'

/** What the control routes read of the fleet, as a port. Fails with `BerthError` only. */
export interface Fleet {
  listPools(correlationId: string): Promise<FleetPool[]>
  /** Throws `POOL_NOT_FOUND`. */
  getPool(poolId: string, correlationId: string): Promise<FleetPool>
  listHosts(correlationId: string): Promise<FleetHost[]>
  listModels(correlationId: string): Promise<FleetModel[]>
  getStatus(correlationId: string): Promise<GetFleetStatusResponse>
}

/** Reads from the leader while there is one, else from whichever core answers. */
export const createFleetClient = (cores: CoreAddresses): Fleet & Disposable => {
  const clients = createCoreClients(FleetService, cores)
  const { ask } = clients
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
    [Symbol.dispose]: () => clients[Symbol.dispose](),
  }
}
