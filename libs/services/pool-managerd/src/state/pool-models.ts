import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import { z } from 'zod'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { withModel, writtenModel } from '../pools-file/with-model.ts'
import { writeAtomically } from './write-atomically.ts'

const entrySchema = z.object({
  poolId: z.string(),
  /** What the pools file said when the model was replaced: once it says something else, it wins. */
  written: z.string(),
  model: z.string(),
})

/** The models that reloads put in the place of those of the pools file, on disk. */
export interface PoolModels {
  /** The pool as it was left: with the model of its last reload, unless the file changed since. */
  restore(spec: PoolSpec): PoolSpec
  /** Resolves when the next life of the agent will start the pool so. Rejects when it cannot. */
  keep(spec: PoolSpec): Promise<void>
}

/** Reads what earlier lives kept. A file that cannot be read is told and counts as empty. */
export const openPoolModels = async (stateDir: string, log: Logger): Promise<PoolModels> => {
  const path = join(stateDir, 'models.json')
  const entries = new Map((await read(path, log)).map((entry) => [entry.poolId, entry]))
  let writing = Promise.resolve()
  return {
    restore: (spec) => {
      const kept = entries.get(spec.poolId)
      return kept?.written === writtenModel(spec) ? withModel(spec, kept.model) : spec
    },
    keep: (spec) => {
      const { poolId, modelRef: model } = spec
      const written = writtenModel(spec)
      if (model === written) entries.delete(poolId)
      else entries.set(poolId, { poolId, written, model })
      const text = JSON.stringify([...entries.values()])
      const saved = writing.then(() => writeAtomically(path, text))
      writing = saved.catch(() => undefined)
      return saved
    },
  }
}

const read = async (path: string, log: Logger) => {
  try {
    return z.array(entrySchema).parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn({ path, error: messageOf(error) }, 'models kept by reloads are not readable')
    return []
  }
}
