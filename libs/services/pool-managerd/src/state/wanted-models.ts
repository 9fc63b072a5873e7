import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import { z } from 'zod'
import { writeAtomically } from './write-atomically.ts'

const modelSchema = z.object({
  modelId: z.string(),
  modelRef: z.string(),
  source: z.string().exactOptional(),
  ttlMs: z.number().exactOptional(),
})

const entrySchema = z.object({
  /** Loaded by command, beside the pool's own. */
  models: z.array(modelSchema),
  /** The pool's own model, where it was unloaded by command: it stays away. */
  dismissed: z.string().exactOptional(),
})

/** What was commanded of the models of one pool. */
export type WantedEntry = Readonly<z.infer<typeof entrySchema>>

/** Where nothing was commanded. */
export const NOTHING_WANTED: WantedEntry = { models: [] }

/** The models that commands put into the engines of this host, on disk. */
export interface WantedModels {
  of(poolId: string): WantedEntry
  /** Resolves when the next life of the agent will know it. Rejects when it will not. */
  keep(poolId: string, entry: WantedEntry): Promise<void>
}

/** Reads what earlier lives kept. A file that cannot be read is told and counts as empty. */
export const openWantedModels = async (stateDir: string, log: Logger): Promise<WantedModels> => {
  const path = join(stateDir, 'wanted-models.json')
  const entries = new Map(Object.entries(await read(path, log)))
  let writing = Promise.resolve()
  return {
    of: (poolId) => entries.get(poolId) ?? NOTHING_WANTED,
    keep: (poolId, entry) => {
      if (entry.models.length === 0 && entry.dismissed === undefined) entries.delete(poolId)
      else entries.set(poolId, entry)
      const text = JSON.stringify(Object.fromEntries(entries))
      const saved = writing.then(() => writeAtomically(path, text))
      writing = saved.catch(() => undefined)
      return saved
    },
  }
}

const read = async (path: string, log: Logger) => {
  try {
    return z.record(z.string(), entrySchema).parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn({ path, error: messageOf(error) }, 'wanted models are not readable')
    return {}
  }
}
