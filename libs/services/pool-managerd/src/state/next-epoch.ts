import { join } from 'node:path'
import { readIfThere } from './read-if-there.ts'
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
  const epoch = Number(await readIfThere(path))
  return Number.isSafeInteger(epoch) ? epoch : 0
}
