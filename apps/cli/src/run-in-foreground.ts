import { spawn, type StdioOptions } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

export interface ForegroundRun {
  readonly argv: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** `stderr`: shown as it comes, and stdout dropped. Else all of it goes to a file. */
  readonly output: 'stderr' | { readonly path: string }
  readonly signal: AbortSignal
}

const KILL_AFTER_MS = 3_000

/**
 * Runs a program in a process group of its own, and resolves with its exit code. When `signal`
 * aborts, the group gets SIGTERM, and SIGKILL three seconds later or when its first process ends.
 */
export const runInForeground = (run: ForegroundRun): Promise<number> =>
  new Promise((resolve, reject) => {
    const [file = '', ...args] = run.argv
    const { stdio, close } = openOutput(run.output)
    const child = spawn(file, args, { cwd: run.cwd, env: run.env, detached: true, stdio })
    close()
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
      if (run.signal.aborted) signalGroup(child.pid, 'SIGKILL')
      resolve(code ?? 1)
    })
  })

const openOutput = (
  output: ForegroundRun['output'],
): { readonly stdio: StdioOptions; close(): void } => {
  if (output === 'stderr') return { stdio: ['ignore', 'ignore', 'inherit'], close: () => undefined }
  const file = openSync(output.path, 'w')
  return { stdio: ['ignore', file, file], close: () => closeSync(file) }
}

const signalGroup = (pid: number | undefined, signal: NodeJS.Signals): void => {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch (error) {
    // It has ended meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
