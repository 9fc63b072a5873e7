import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeFolder } from './make-folder.ts'

/** Writes a file so that a reader, and a crash, find the old text or the new one. */
export const writeFileAtomic = async (path: string, text: string): Promise<void> => {
  await makeFolder(dirname(path))
  const next = `${path}.${randomBytes(6).toString('hex')}.new`
  try {
    const handle = await open(next, 'w', 0o644)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(next, path)
  } catch (error) {
    await rm(next, { force: true })
    throw error
  }
}
