import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@berth/kernel'
import { NO_CORRECTIONS, readCorrections, type Corrections } from '@berth/memory'
import type { Logger } from '@berth/runtime'
import { writeAtomically } from '../state/write-atomically.ts'

/** What loads of earlier lives taught, on disk. */
export interface KeptCorrections {
  readonly first: Corrections
  /** Writes them down; what cannot be written is told and forgotten with this life. */
  keep(corrections: Corrections): void
  /** Resolves when everything is written. */
  written(): Promise<void>
}

/** Reads `memory.json`. A file that cannot be read is told and counts as empty. */
export const openCorrections = async (stateDir: string, log: Logger): Promise<KeptCorrections> => {
  const path = join(stateDir, 'memory.json')
  let writing = Promise.resolve()
  return {
    first: await read(path, log),
    keep: (corrections) => {
      const text = JSON.stringify(corrections)
      writing = writing
        .then(() => writeAtomically(path, text))
        .catch((error: unknown) =>
          log.warn({ path, error: messageOf(error) }, 'what loads taught is not kept'),
        )
    },
    written: () => writing,
  }
}

const read = async (path: string, log: Logger): Promise<Corrections> => {
  try {
    return readCorrections(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn({ path, error: messageOf(error) }, 'what loads taught is not readable')
    return NO_CORRECTIONS
  }
}
