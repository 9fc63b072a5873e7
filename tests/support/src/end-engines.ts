import { kill } from 'node:process'
import type { PoolEntry } from './pool-entries.ts'
import { simAdmin } from './sim-admin.ts'

/** Ends the simulated engines that still answer on the ports that were chosen for them. */
export const endEngines = async (pools: readonly PoolEntry[]): Promise<void> => {
  await Promise.all(
    pools.map(async ({ enginePort }) => {
      if (enginePort === undefined) return
      const state = await simAdmin(`http://127.0.0.1:${enginePort}`)
        .state()
        // Nobody answers there: it has ended, as it should.
        .catch(() => undefined)
      if (state) kill(state.pid, 'SIGKILL')
    }),
  )
}
