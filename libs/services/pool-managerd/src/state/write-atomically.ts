import { open, rename } from 'node:fs/promises'

/** Replaces a file as a whole: a reader, or a crash, sees the old content or the new. */
export const writeAtomically = async (path: string, content: string): Promise<void> => {
  const temporary = `${path}.new`
  {
    await using file = await open(temporary, 'w', 0o600)
    await file.writeFile(content)
    await file.sync()
  }
  await rename(temporary, path)
}
