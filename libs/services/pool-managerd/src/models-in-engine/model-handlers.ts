import type { PoolManagerService } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { Handlers } from '@berth/rpc'
import type { PoolCommands } from '../commands/pool-commands.ts'

/** Models that come to and go from an engine that runs. */
export const modelHandlers = (
  commands: PoolCommands,
): Pick<Handlers<typeof PoolManagerService>, 'loadModel' | 'unloadModel'> => ({
  loadModel: async ({ poolId }) => refuse(commands, poolId),
  unloadModel: async ({ poolId }) => refuse(commands, poolId),
})

const refuse = (commands: PoolCommands, poolId: string): never => {
  const { spec } = commands.find(poolId)
  throw new BerthError(
    'UNSUPPORTED_OPERATION',
    `Pool ${poolId} runs ${spec.engine.engine}, whose model comes and goes with its process. ` +
      `Use: berth pools reload ${poolId}, or berth pools stop ${poolId}.`,
    { facts: { pool_id: poolId, engine: spec.engine.engine } },
  )
}
