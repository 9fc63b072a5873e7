import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { freePort, TINY_MODEL, until, type PoolEntry } from '@berth/test-support'

/** The `llama-server` of this machine; undefined where PATH has none. */
export const findLlamaServer = (): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'llama-server'))
    .find(canRun)

const canRun = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // It is not there, or not ours to run: the next folder may have one.
    return false
  }
}

/** Starts a server of one slot with the tiny model, and says how a pool attaches to it. */
export const startLlamaServer = async (
  path: string,
  pool: PoolEntry['entry'],
): Promise<PoolEntry & Disposable> => {
  const port = await freePort()
  const flags = { '-m': TINY_MODEL, '--alias': 'berth-tiny', '-np': 1, '-c': 4_096 }
  const bind = { '--host': '127.0.0.1', '--port': port }
  const args = Object.entries({ ...flags, ...bind }).flatMap(([flag, value]) => [flag, `${value}`])
  const child = spawn(path, args, { stdio: 'ignore' })
  using starting = new DisposableStack()
  starting.defer(() => void child.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  await until('llama-server is healthy', async () => {
    if (child.exitCode !== null) throw new Error(`${path} ended with ${child.exitCode}`)
    return (await fetch(`${url}/health`).catch(() => undefined))?.ok
  })
  const owned = starting.move()
  return {
    entry: { ...pool, engine: 'openai', model: 'berth-tiny', slots: 1, url },
    [Symbol.dispose]: () => owned.dispose(),
  }
}
