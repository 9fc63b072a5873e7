import { open, rename, rm } from 'node:fs/promises'
import { BerthError } from '@berth/kernel'

/**
 * Replaces a file as a whole: a reader, or a crash, sees the old content or the new. A full disk is
 * told as `INSUFFICIENT_DISK`; nothing half-written is left.
 */
export const writeAtomically = async (path: string, content: string): Promise<void> => {
  const temporary = `${path}.new`
  try {
    {
      await using file = await open(temporary, 'w', 0o600)
      await file.writeFile(content)
      await file.sync()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw isFull(error) ? diskFull(path, error) : error
  }
}

const isFull = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')

const diskFull = (path: string, cause: unknown) =>
  new BerthError(
    'INSUFFICIENT_DISK',
    `Cannot write ${path}: no space left on its disk. Free some; the file is as it was.`,
    { cause, facts: { path } },
  )
