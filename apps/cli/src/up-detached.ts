import { closeSync, openSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { sleep } from '@berth/kernel'
import { spawnChild, systemClock, type ChildExit } from '@berth/runtime'
import { EXIT } from './exit-code.ts'
import { readRunState } from './run-state.ts'
import type { UpContext } from './up-context.ts'

const POLL_MS = 100

/**
 * Starts `up` in a process of its own, relays what it says until the fleet is ready, and leaves it
 * running. Ctrl-C before that ends it as it would in the foreground.
 */
export const upDetached = async (context: UpContext): Promise<number> => {
  const { paths, terminal, signal } = context
  const clock = systemClock()
  const logPath = join(paths.logsDir, 'up.log')
  rmSync(logPath, { force: true })
  const child = await spawnChild({
    argv: [process.execPath, join(paths.distDir, 'cli.js'), ...argvOf(context)],
    env: process.env as Record<string, string>,
    cwd: process.cwd(),
    stdoutPath: logPath,
    stderrPath: logPath,
  })
  let exit: ChildExit | undefined
  child.onExit((ended) => (exit = ended))
  using log = followFile(logPath)
  const isReady = () => {
    const state = readRunState(paths)
    return state?.supervisor.pid === child.pid && state.phase === 'ready'
  }
  let isTold = false
  while (exit === undefined && !isReady()) {
    if (signal.aborted && !isTold) child.signalGroup('SIGTERM')
    isTold = signal.aborted
    await sleep(clock, POLL_MS)
    terminal.write(log.next())
  }
  terminal.write(log.next())
  if (exit !== undefined) return signal.aborted ? EXIT.interrupted : (exit.code ?? EXIT.failed)
  terminal.print(`It runs in the background (pid ${child.pid}). ./berth down stops it.`)
  return EXIT.ok
}

const argvOf = ({ options }: UpContext): string[] => [
  ...['up', '--port', String(options.port)],
  ...(options.engine === undefined ? [] : ['--engine', options.engine]),
  ...(options.model === undefined ? [] : ['--model', options.model]),
  ...(options.engineUrl === undefined ? [] : ['--engine-url', options.engineUrl]),
  ...(options.pools === undefined ? [] : ['--pools', options.pools]),
]

const CHUNK_BYTES = 65_536

/** Reads what a growing file has gained since the last call. */
const followFile = (path: string): { next(): string } & Disposable => {
  const file = openSync(path, 'r')
  const buffer = Buffer.alloc(CHUNK_BYTES)
  return {
    next: () => buffer.toString('utf8', 0, readSync(file, buffer, 0, CHUNK_BYTES, null)),
    [Symbol.dispose]: () => closeSync(file),
  }
}
