import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BerthError, messageOf } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import { z } from 'zod'
import { writeAtomically } from '../state/write-atomically.ts'
import { hashFile, type HashOptions } from './hash-file.ts'

const entrySchema = z.object({
  path: z.string(),
  /** Names the content as far as that is possible without reading it. */
  stamp: z.string(),
  digest: z.string(),
})

/** What the model files of this host are: `sha256:` and 64 hex digits. */
export interface ModelDigests {
  /** As it was read before, of a file that has not changed since; the file is not read. */
  known(path: string): Promise<string | undefined>
  /**
   * Reads the file, off the main thread, unless it has not changed since the last time. Throws when
   * it cannot be read, when it changes meanwhile, and the signal's reason when that aborts.
   */
  read(path: string, options: HashOptions): Promise<string>
}

/** More models than a host has; the one that was read longest ago leaves. */
const ENTRIES_MAX = 256

/** Knows again what earlier lives of the agent have read. A file that cannot be read is told. */
export const openModelDigests = async (stateDir: string, log: Logger): Promise<ModelDigests> => {
  const path = join(stateDir, 'digests.json')
  const entries = new Map((await readEntries(path, log)).map((entry) => [entry.path, entry]))
  let writing = Promise.resolve()

  const keep = (entry: z.infer<typeof entrySchema>) => {
    entries.delete(entry.path)
    entries.set(entry.path, entry)
    const kept = [...entries.values()].slice(-ENTRIES_MAX)
    for (const old of entries.keys()) if (entries.size > ENTRIES_MAX) entries.delete(old)
    // What is not kept is read again by the next life: slower, and no less right.
    writing = writing
      .then(() => writeAtomically(path, JSON.stringify(kept)))
      .catch((error: unknown) => log.warn({ path, error: messageOf(error) }, 'digest is not kept'))
  }
  const known = async (file: string) => {
    const entry = entries.get(file)
    return entry && entry.stamp === (await stampOf(file)) ? entry.digest : undefined
  }
  return {
    known,
    read: async (file, options) => {
      const cached = await known(file)
      if (cached !== undefined) return cached
      const stamp = await stampOf(file)
      const digest = `sha256:${await hashFile(file, options)}`
      if ((await stampOf(file)) !== stamp)
        throw new BerthError('MODEL_LOAD_FAILED', `${file} changed while it was read.`)
      keep({ path: file, stamp, digest })
      return digest
    },
  }
}

const stampOf = async (path: string): Promise<string> => {
  const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true })
  return [dev, ino, size, mtimeNs].join(':')
}

const readEntries = async (path: string, log: Logger) => {
  try {
    return z.array(entrySchema).parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn({ path, error: messageOf(error) }, 'digests that were read before are not readable')
    return []
  }
}
