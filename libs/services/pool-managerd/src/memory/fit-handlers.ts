import type { PoolManagerService } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { Handlers } from '@berth/rpc'
import type { PoolCommands } from '../commands/pool-commands.ts'

/** What a model would take in a pool. */
export const fitHandlers = (
  commands: PoolCommands,
): Pick<Handlers<typeof PoolManagerService>, 'fitModel'> => ({
  fitModel: async ({ poolId }) => {
    const { spec } = commands.find(poolId)
    throw new BerthError(
      'UNSUPPORTED_OPERATION',
      `What a model takes of ${spec.engine.engine} in pool ${poolId} is not known to this agent.`,
      { facts: { pool_id: poolId, engine: spec.engine.engine } },
    )
  },
})
