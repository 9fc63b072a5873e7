import { copyFileSync, rmSync, statSync, truncateSync } from 'node:fs'

/**
 * Empties a log that has grown past `maxBytes`; what it held is kept as `FILE.1`, unless there is
 * no room for it. Whoever writes it appends and goes on at its start; a line may be lost.
 */
export const boundLog = (path: string, maxBytes: number): void => {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size <= maxBytes) return
  const older = `${path}.1`
  try {
    copyFileSync(path, older)
  } catch {
    // A disk without room for the copy needs the room of the log all the more.
    rmSync(older, { force: true })
  }
  truncateSync(path)
}
