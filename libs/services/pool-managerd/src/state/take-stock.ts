import type { Clock, Rng } from '@berth/kernel'
import { readBootId, type Logger } from '@berth/runtime'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { readAgentId } from './agent-id.ts'
import { sortJournal, type AdoptableEntry } from './adoptable.ts'
import { createJournal, readJournal, type Journal } from './journal.ts'
import { reapOrphans } from './reap-orphans.ts'

/** What an earlier life of the agent left to this one. */
export interface Stock {
  /** Marks the engines of this state directory. */
  readonly agentId: string
  readonly journal: Journal
  /** Engines that run on and are to be taken over, by pool id. */
  readonly adoptable: ReadonlyMap<string, AdoptableEntry>
}

/**
 * Sorts the engines of earlier lives and ends those that cannot be taken over. When it is done, no
 * process of this state directory runs beside those it names.
 */
export const takeStock = async (of: {
  readonly stateDir: string
  readonly specs: readonly PoolSpec[]
  readonly rng: Rng
  readonly clock: Clock
  readonly log: Logger
}): Promise<Stock> => {
  const { stateDir, specs, log } = of
  const bootId = readBootId()
  const agentId = await readAgentId(stateDir, of.rng)
  const { adoptable, leftovers } = sortJournal(await readJournal(stateDir, log), specs, bootId)
  for (const { entry, reason } of leftovers)
    log.info(
      {
        pool_id: entry.poolId,
        instance_id: entry.instanceId,
        ...{ pid: entry.process?.pid, reason },
      },
      'engine of an earlier life is not taken over',
    )
  const kept = [...adoptable.values()]
  await reapOrphans(
    {
      entries: leftovers.map(({ entry }) => entry),
      keptInstanceIds: new Set(kept.map(({ instanceId }) => instanceId)),
      agentId,
    },
    of,
  )
  return { agentId, journal: await createJournal(stateDir, { bootId, kept }), adoptable }
}
