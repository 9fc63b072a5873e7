import { messageOf } from '@berth/kernel'
import { killGroup, type Logger } from '@berth/runtime'
import type { AdoptableEntry } from '../state/adoptable.ts'
import type { Pool } from './pool.ts'

/** Takes over what runs, and starts every other pool. */
export const startPools = async (
  pools: readonly Pool[],
  adoptable: ReadonlyMap<string, AdoptableEntry>,
  log: Logger,
): Promise<void> => {
  await Promise.all(
    pools.map(async (pool) => {
      const entry = adoptable.get(pool.spec.poolId)
      if (!entry || !(await isAdopted(pool, entry, log))) pool.dispatch({ kind: 'start' })
    }),
  )
}

const isAdopted = async (pool: Pool, entry: AdoptableEntry, log: Logger): Promise<boolean> => {
  const { pid } = entry.process
  const facts = { pool_id: entry.poolId, instance_id: entry.instanceId, pid }
  try {
    await pool.adopt(entry)
    log.info(facts, 'engine of an earlier life is taken over')
    return true
  } catch (error) {
    log.error({ ...facts, error: messageOf(error) }, 'engine cannot be taken over: it is ended')
    killGroup(pid, 'SIGKILL')
    return false
  }
}
