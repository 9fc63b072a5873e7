import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeAtomically } from './write-atomically.ts'

/**
 * The epoch of this agent life, above that of every life before even when the clock went back:
 * max(persisted + 1, now in Unix milliseconds). On disk before it is used.
 */
export const nextEpoch = async (stateDir: string, nowMs: number): Promise<number> => {
  const path = join(stateDir, 'epoch')
  const epoch = Math.max((await readEpoch(path)) + 1, Math.trunc(nowMs))
  await writeAtomically(path, `${epoch}\n`)
  return epoch
}

const readEpoch = async (path: string): Promise<number> => {
  try {
    const epoch = Number(await readFile(path, 'utf8'))
    return Number.isSafeInteger(epoch) ? epoch : 0
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}
