import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { spawnChild } from '@berth/runtime'
import { CliError } from './cli-error.ts'
import { EXIT, type ExitCode } from './exit-code.ts'
import type { Paths } from './paths.ts'

export interface ToolRun {
  readonly argv: readonly string[]
  /** Names the log file under the run folder's logs. */
  readonly name: string
  readonly env?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** For the error when it fails. */
  readonly failure: {
    readonly message: string
    readonly next: string
    readonly exitCode?: ExitCode
  }
}

/**
 * Runs a program to its end in a group of its own, output to a log. When `signal` aborts, the
 * group gets SIGTERM, and SIGKILL three seconds later, before this rejects.
 */
export const runTool = async (paths: Paths, tool: ToolRun): Promise<void> => {
  tool.signal.throwIfAborted()
  mkdirSync(paths.logsDir, { recursive: true })
  const logPath = join(paths.logsDir, `${tool.name}.log`)
  rmSync(logPath, { force: true })
  const child = await spawnChild({
    argv: tool.argv,
    env: { ...(process.env as Record<string, string>), ...tool.env },
    cwd: paths.root,
    stdoutPath: logPath,
    stderrPath: logPath,
  })
  const exit = await new Promise<{ code: number | null }>((resolve) => {
    // The child does not hold the event loop open; this does until it has ended.
    const hold = setInterval(() => undefined, 60_000)
    let kill: NodeJS.Timeout | undefined
    const onAbort = () => {
      child.signalGroup('SIGTERM')
      kill = setTimeout(() => child.signalGroup('SIGKILL'), 3_000)
    }
    tool.signal.addEventListener('abort', onAbort, { once: true })
    if (tool.signal.aborted) onAbort()
    child.onExit((ended) => {
      clearInterval(hold)
      clearTimeout(kill)
      tool.signal.removeEventListener('abort', onAbort)
      if (tool.signal.aborted) child.signalGroup('SIGKILL')
      resolve(ended)
    })
  })
  tool.signal.throwIfAborted()
  if (exit.code === 0) return
  const { message, next, exitCode = EXIT.failed } = tool.failure
  throw new CliError(exitCode, `${message}\n${tailOf(logPath)}`, `${next} The log: ${logPath}`)
}

const TAIL_LINES = 12

export interface TailOptions {
  /** What was written before is somebody else's. Default: 0. */
  readonly fromByte?: number
  readonly lines?: number
}

/** The last lines of a log, indented. */
export const tailOf = (path: string, { fromByte = 0, lines = TAIL_LINES }: TailOptions = {}) => {
  try {
    return readFileSync(path)
      .subarray(fromByte)
      .toString('utf8')
      .trimEnd()
      .split('\n')
      .slice(-lines)
      .map((line) => `    ${line.slice(0, 300)}`)
      .join('\n')
  } catch {
    // It has not written anything.
    return ''
  }
}
