import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { SupervisionEvent } from '@berth/supervision'
import { z } from 'zod'
import { writeAtomically } from './write-atomically.ts'

const intentSchema = z.object({
  /** Stopped by command: it starts by command only. */
  isStopped: z.boolean(),
  /** Drained by command: it takes nothing until an undrain. */
  isDrained: z.boolean(),
})

/** What was commanded of a pool and holds until it is commanded otherwise. */
export type PoolIntent = Readonly<z.infer<typeof intentSchema>>

/** The intent nobody has to keep: it starts with the agent and takes requests. */
export const AS_THE_FILE_SAYS: PoolIntent = { isStopped: false, isDrained: false }

/** What was commanded of the pools of this host, on disk. */
export interface PoolIntents {
  of(poolId: string): PoolIntent
  /** Writes behind the caller's back; what cannot be written is told and holds for this life. */
  keep(poolId: string, intent: PoolIntent): void
  /** Resolves when all that was kept is on disk. */
  written(): Promise<void>
}

/** Reads what earlier lives were told. A file that cannot be read is told and counts as empty. */
export const openPoolIntents = async (stateDir: string, log: Logger): Promise<PoolIntents> => {
  const path = join(stateDir, 'intents.json')
  const intents = new Map(Object.entries(await read(path, log)))
  let writing = Promise.resolve()
  return {
    of: (poolId) => intents.get(poolId) ?? AS_THE_FILE_SAYS,
    keep: (poolId, intent) => {
      if (!intents.has(poolId) && !intent.isStopped && !intent.isDrained) return
      if (intent.isStopped || intent.isDrained) intents.set(poolId, intent)
      else intents.delete(poolId)
      const text = JSON.stringify(Object.fromEntries(intents))
      writing = writing
        .then(() => writeAtomically(path, text))
        .catch((error: unknown) =>
          log.error({ pool_id: poolId, error: messageOf(error) }, 'intent of a pool is not kept'),
        )
    },
    written: () => writing,
  }
}

/** The intent after a command. */
export const intentAfter = (intent: PoolIntent, { kind }: SupervisionEvent): PoolIntent => {
  switch (kind) {
    case 'stop':
      return { ...intent, isStopped: true }
    case 'start':
    case 'restart':
    case 'reload':
      return { ...intent, isStopped: false }
    default:
      return intent
  }
}

const read = async (path: string, log: Logger) => {
  try {
    return z.record(z.string(), intentSchema).parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn({ path, error: messageOf(error) }, 'intents of pools are not readable')
    return {}
  }
}
