import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, type Cancel, type Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import { learnTimes, type PhaseTimes } from '@berth/supervision'
import { z } from 'zod'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { writeAtomically } from './write-atomically.ts'

/** How long models took to load into engines of this host. */
export interface LoadTimes {
  /** Of this model in this engine on these devices; `undefined` when it was never loaded. */
  find(spec: PoolSpec): PhaseTimes | undefined
  learn(spec: PoolSpec, took: PhaseTimes): void
}

/** Disposing writes what is not written yet. */
export interface OpenLoadTimes extends LoadTimes, AsyncDisposable {}

/** Models and engines of one host; what was loaded longest ago makes room. */
const ENTRIES_MAX = 256
const WRITE_AFTER_MS = 5_000

const time = z.number().min(0).optional()
const entrySchema = z.object({
  key: z.string().max(8_192),
  took: z.object({ download: time, load: time, compile: time, warm: time }),
})

/** Reads what earlier lives saw. A file that cannot be read is told and counts as empty. */
export const openLoadTimes = async (
  stateDir: string,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Promise<OpenLoadTimes> => {
  const path = join(stateDir, 'load-times.json')
  const entries = new Map((await read(path, log)).map(({ key, took }) => [key, took]))
  let pending: Cancel | undefined
  const write = async () => {
    pending?.()
    pending = undefined
    const kept = [...entries].map(([key, took]) => ({ key, took }))
    await writeAtomically(path, JSON.stringify(kept)).catch((error: unknown) =>
      log.warn({ path, error: messageOf(error) }, 'times of loads are not kept'),
    )
  }
  return {
    find: (spec) => entries.get(keyOf(spec)),
    learn: (spec, took) => {
      const key = keyOf(spec)
      const learned = learnTimes(entries.get(key), took)
      entries.delete(key)
      entries.set(key, learned)
      for (const oldest of entries.keys()) {
        if (entries.size <= ENTRIES_MAX) break
        entries.delete(oldest)
      }
      pending ??= clock.after(WRITE_AFTER_MS, () => void write())
    },
    [Symbol.asyncDispose]: async () => {
      if (pending) await write()
    },
  }
}

const keyOf = ({ engine, modelRef, modelPath, deviceUuids, devices }: PoolSpec): string =>
  JSON.stringify([engine.engine, modelPath ?? modelRef, deviceUuids ?? devices])

const read = async (path: string, log: Logger) => {
  try {
    const text: unknown = JSON.parse(await readFile(path, 'utf8'))
    return z.array(entrySchema).max(ENTRIES_MAX).parse(text) as {
      readonly key: string
      readonly took: PhaseTimes
    }[]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn({ path, error: messageOf(error) }, 'times of loads are not readable')
    return []
  }
}
