import { spawn } from 'node:child_process'

export interface ForegroundRun {
  readonly argv: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Drops what it writes to stdout. */
  readonly isQuiet: boolean
  readonly signal: AbortSignal
}

const KILL_AFTER_MS = 3_000

/**
 * Runs a program that speaks on this terminal, and resolves with its exit code. When `signal`
 * aborts, its process group gets SIGTERM, and SIGKILL three seconds later.
 */
export const runInForeground = (run: ForegroundRun): Promise<number> =>
  new Promise((resolve, reject) => {
    const [file = '', ...args] = run.argv
    const child = spawn(file, args, {
      cwd: run.cwd,
      env: run.env,
      detached: true,
      stdio: ['ignore', run.isQuiet ? 'ignore' : 'inherit', 'inherit'],
    })
    let kill: NodeJS.Timeout | undefined
    const onAbort = () => {
      signalGroup(child.pid, 'SIGTERM')
      kill = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), KILL_AFTER_MS)
    }
    const release = () => {
      clearTimeout(kill)
      run.signal.removeEventListener('abort', onAbort)
    }
    run.signal.addEventListener('abort', onAbort, { once: true })
    if (run.signal.aborted) onAbort()
    child.once('error', (error) => {
      release()
      reject(error)
    })
    child.once('exit', (code) => {
      release()
      resolve(code ?? 1)
    })
  })

const signalGroup = (pid: number | undefined, signal: NodeJS.Signals): void => {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch (error) {
    // It has ended meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
