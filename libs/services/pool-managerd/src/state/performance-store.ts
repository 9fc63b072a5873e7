import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, type Cancel, type Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import { z } from 'zod'
import { keyOf, nameOf, type PerformanceStore } from '../pool/performance-book.ts'
import { writeAtomically } from './write-atomically.ts'

/** Engines, models and device masks of one host; what was measured longest ago makes room. */
const ENTRIES_MAX = 256
/** Averages move with each request, and a crash may cost the last of them. */
const WRITE_AFTER_MS = 30_000

const figure = z.number().min(0)
const cellSchema = z.object({
  promptBand: z.number().int().min(0).max(32),
  occupancyBand: z.number().int().min(0).max(32),
  ...{ tokensPerS: figure, firstTokenMs: figure, samples: figure },
})
const entrySchema = z.object({
  key: z.string(),
  name: z.string(),
  performance: z.object({
    ...{ tokensPerS: figure, firstTokenMs: figure, prefillTokensPerS: figure, samples: figure },
    cells: z.array(cellSchema).max(128),
  }),
})
type Entry = z.infer<typeof entrySchema>

/** Disposing writes what is not written yet. */
export interface OpenPerformanceStore extends PerformanceStore, AsyncDisposable {}

/** Reads what earlier lives measured. A file that cannot be read is told and counts as empty. */
export const openPerformanceStore = async (
  stateDir: string,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Promise<OpenPerformanceStore> => {
  const path = join(stateDir, 'performance.json')
  const entries = new Map((await read(path, log)).map((entry) => [entry.key, entry]))
  let pending: Cancel | undefined
  const write = async () => {
    pending?.()
    pending = undefined
    try {
      await writeAtomically(path, JSON.stringify([...entries.values()]))
    } catch (error) {
      log.warn({ path, error: messageOf(error) }, 'measured figures are not kept')
    }
  }
  return {
    find: (of) => entries.get(keyOf(of))?.performance,
    keep: (of, performance) => {
      const [key, name] = [keyOf(of), nameOf(of)]
      // Of one thing, the figures of its newest version are kept.
      if (!entries.has(key))
        for (const entry of entries.values()) if (entry.name === name) entries.delete(entry.key)
      entries.delete(key)
      entries.set(key, { key, name, performance: performance as Entry['performance'] })
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

const read = async (path: string, log: Logger): Promise<Entry[]> => {
  try {
    return z
      .array(entrySchema)
      .max(ENTRIES_MAX)
      .parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn({ path, error: messageOf(error) }, 'measured figures are not readable')
    return []
  }
}
