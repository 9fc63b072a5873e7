import { readFile, rm, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** Longer than a build takes where it takes long. */
const PATIENCE_MS = 3_600_000
const ASK_EVERY_MS = 1_000

/**
 * Waits until no other process holds the lock, and holds it until disposed. A lock of a process
 * that is gone counts for nothing.
 */
export const takeLock = async (
  path: string,
  say: (line: string) => void,
): Promise<AsyncDisposable> => {
  const own = String(process.pid)
  let told = ''
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += ASK_EVERY_MS) {
    if (await wasWritten(path, own))
      return { [Symbol.asyncDispose]: () => rm(path, { force: true }) }
    const holder = await readFile(path, 'utf8').catch(() => '')
    if (holder !== '' && !isAlive(Number(holder))) {
      await rm(path, { force: true })
      continue
    }
    if (holder !== told) say(`Process ${holder} builds it already; waiting for that.`)
    told = holder
    await sleep(ASK_EVERY_MS)
  }
  throw new Error(`${path} is held by process ${told}, which does not end.`)
}

const wasWritten = async (path: string, own: string): Promise<boolean> => {
  try {
    await writeFile(path, own, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
