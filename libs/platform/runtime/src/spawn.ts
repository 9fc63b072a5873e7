import { spawn, type ChildProcess } from 'node:child_process'
import { open, stat } from 'node:fs/promises'
import { BerthError, messageOf } from '@berth/kernel'
import { groupHasLiveProcess, readStartTime } from './process-table.ts'

/** A program to start, and where its output goes. */
export interface SpawnRequest {
  /** The binary and its arguments. Never goes through a shell. */
  readonly argv: readonly string[]
  /** The whole environment of the child; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Output is appended here, by the child itself, so it outlives this process. */
  readonly stdoutPath: string
  readonly stderrPath: string
}

/** How a child ended: one of the two is set. */
export interface ChildExit {
  readonly code: number | null
  readonly signal: string | null
}

/** A child process that leads a process group of its own. */
export interface Child {
  readonly pid: number
  /** Field 22 of `/proc/<pid>/stat`; with the pid it names one life. Empty where there is none. */
  readonly startTime: string
  /** Calls `fn` once when the leader has ended, also when it had ended before. */
  onExit(fn: (exit: ChildExit) => void): void
  /** Signals every process of the group. Nothing happens when none is left. */
  signalGroup(signal: 'SIGTERM' | 'SIGKILL'): void
  /** True while any process of the group runs, the leader's orphans included. */
  groupIsAlive(): boolean
  /** Stops watching it, where that takes anything; the process goes on. */
  release?(): void
}

/** Starts a child, or rejects with `ENGINE_FAILED` that names what could not be run. */
export type Spawn = (request: SpawnRequest) => Promise<Child>

/** The real `Spawn`. The child does not keep this process alive and survives its end. */
export const spawnChild: Spawn = async (request) => {
  await using out = await openLog(request.stdoutPath)
  await using err = await openLog(request.stderrPath)
  const [file = '', ...args] = request.argv
  const child = await started(request, () =>
    spawn(file, args, {
      cwd: request.cwd,
      env: { ...request.env },
      detached: true,
      stdio: ['ignore', out.fd, err.fd],
    }),
  )
  return watch(child.process, child.startTime)
}

const openLog = async (path: string) => {
  try {
    return await open(path, 'a', 0o640)
  } catch (error) {
    throw new BerthError('ENGINE_FAILED', `Cannot open log ${path}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

const started = async (request: SpawnRequest, start: () => ChildProcess) => {
  try {
    const child = start()
    const startTime = child.pid === undefined ? '' : readStartTime(child.pid)
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    return { process: child, startTime }
  } catch (error) {
    throw new BerthError('ENGINE_FAILED', await explain(request, error), {
      cause: error,
      facts: { binary: request.argv[0] ?? '' },
    })
  }
}

const explain = async ({ argv, cwd }: SpawnRequest, error: unknown): Promise<string> => {
  const binary = argv[0] ?? ''
  const { code } = error as NodeJS.ErrnoException
  // A missing working directory is reported as ENOENT of the binary too.
  const cwdExists = await stat(cwd).then(
    (entry) => entry.isDirectory(),
    () => false,
  )
  if (!cwdExists) return `Cannot run ${binary}: the working directory ${cwd} does not exist.`
  if (code === 'ENOENT') return `Cannot run ${binary}: no such file, or not on PATH. Install it.`
  if (code === 'EACCES') return `Cannot run ${binary}: it is not executable.`
  return `Cannot run ${binary}: ${messageOf(error)}`
}

const watch = (child: ChildProcess, startTime: string): Child => {
  const pid = child.pid as number
  let exit: ChildExit | undefined
  let groupEnded = false
  child.once('exit', (code, signal) => (exit = { code, signal }))
  // A failed `kill` of the leader lands here; the group is signalled by id, which reports itself.
  child.on('error', () => undefined)
  child.unref()

  const groupIsAlive = () => {
    // While the leader is not reaped its id cannot be reused; once the group is seen empty it may.
    if (!groupEnded && exit !== undefined) groupEnded = !groupHasLiveProcess(pid)
    return !groupEnded
  }
  return {
    pid,
    startTime,
    onExit: (fn) => {
      if (exit) queueMicrotask(() => fn(exit as ChildExit))
      else child.once('exit', (code, signal) => fn({ code, signal }))
    },
    signalGroup: (signal) => {
      if (groupIsAlive()) killGroup(pid, signal)
    },
    groupIsAlive,
  }
}

/** Signals every process of a group, also of one made by an earlier life of this program. */
export const killGroup = (pid: number, signal: 'SIGTERM' | 'SIGKILL') => {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    // The group ended between the look and the signal: what was wanted has happened.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
