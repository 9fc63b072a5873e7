import { copyFile, rename, rm, stat, truncate } from 'node:fs/promises'

/** Older files kept beside the current one, `.1` the newest. */
const KEPT = 3

const ifThere = async (work: Promise<void>): Promise<void> => {
  try {
    await work
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

const isFull = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')

const shift = async (path: string) => {
  await rm(`${path}.${KEPT}`, { force: true })
  for (let age = KEPT - 1; age >= 1; age--)
    await ifThere(rename(`${path}.${age}`, `${path}.${age + 1}`))
}

/** Moves the log of the last instance out of the way. Nobody writes to it any more. */
export const rotateLog = async (path: string): Promise<void> => {
  await shift(path)
  await ifThere(rename(path, `${path}.1`))
}

/**
 * Empties the log of a running engine once it is larger than `maxBytes`, keeping a copy. The
 * engine appends, so it goes on at the start; a line written in between may be lost. Where the
 * disk has no room for the copy there is none: an engine that cannot write may end. True when the
 * file was emptied.
 */
export const truncateLog = async (path: string, maxBytes: number): Promise<boolean> => {
  if ((await stat(path)).size <= maxBytes) return false
  await shift(path)
  await copyFile(path, `${path}.1`).catch((error: unknown) => {
    if (!isFull(error)) throw error
    return rm(`${path}.1`, { force: true })
  })
  await truncate(path)
  return true
}
