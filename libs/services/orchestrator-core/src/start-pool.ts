import type { PoolView } from '@berth/fleet'
import { messageOf } from '@berth/kernel'
import type { RpcLog } from '@berth/rpc'
import type { AgentClients } from './agent-clients.ts'

/**
 * Asks the agent of a pool to start it for the jobs that wait. Never rejects: whether it starts is
 * seen in its snapshots, and who still waits asks again.
 */
export const startByRpc = async (
  { poolId, host }: PoolView,
  {
    agents,
    log,
    term,
  }: { readonly agents: AgentClients; readonly log: RpcLog; readonly term: number },
): Promise<void> => {
  const facts = { pool_id: poolId, host_id: host.hostId }
  try {
    const header = { term: BigInt(term), idempotencyKey: '' }
    await agents.ask(host, (client) => client.start({ header, poolId }))
    log.info(facts, 'pool is started for a request')
  } catch (error) {
    log.warn({ ...facts, detail: messageOf(error) }, 'pool cannot be started for a request')
  }
}
