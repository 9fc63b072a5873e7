import type { PoolManagerService } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { Handlers } from '@berth/rpc'
import type { PoolCommands } from '../commands/pool-commands.ts'

/** Engines that put their weights aside and take them back. */
export const sleepHandlers = (
  commands: PoolCommands,
): Pick<Handlers<typeof PoolManagerService>, 'sleep' | 'wake'> => ({
  sleep: async ({ poolId }) => refuse(commands, poolId),
  wake: async ({ poolId }) => refuse(commands, poolId),
})

const refuse = (commands: PoolCommands, poolId: string): never => {
  const { spec } = commands.find(poolId)
  throw new BerthError(
    'UNSUPPORTED_OPERATION',
    `Pool ${poolId} runs ${spec.engine.engine}, which cannot put its weights aside. ` +
      `To free its memory: berth pools stop ${poolId}.`,
    { facts: { pool_id: poolId, engine: spec.engine.engine } },
  )
}
