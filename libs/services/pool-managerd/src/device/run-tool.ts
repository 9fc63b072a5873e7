import { spawn, type ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Cancel, Clock } from '@berth/kernel'
import { killGroup } from '@berth/runtime'

/** What became of a question to a tool. */
export type ToolOutcome =
  /** It is not installed. */
  | { readonly kind: 'missing' }
  /** It did not answer in time, or could not be started now. */
  | { readonly kind: 'silent' }
  | {
      readonly kind: 'answered'
      /** `null`: a signal ended it. */
      readonly code: number | null
      readonly out: string
      /** stdout and stderr. */
      readonly text: string
    }

/** Asks a tool of this host, as a port. Never rejects. */
export type RunTool = (file: string, args: readonly string[]) => Promise<ToolOutcome>

export interface ToolRunner extends Disposable {
  readonly run: RunTool
}

/** Longer than any tool takes that will answer at all (llama-orch 3.7). */
export const TOOL_TIMEOUT_MS = 5_000
const OUT_MAX_CHARS = 8_388_608
/** What the tools need of the agent's environment. */
const ALLOWED = ['PATH', 'HOME', 'LD_LIBRARY_PATH', 'ROCM_PATH']

/**
 * Runs tools one at a time, each in a group of its own that is killed when it takes too long. A
 * tool that not even SIGKILL ends (a dead GPU holds it in the kernel) is not started again before
 * it is gone: there is never more than one child.
 */
export const createToolRunner = (options: {
  readonly clock: Clock
  readonly env: Readonly<Record<string, string | undefined>>
}): ToolRunner => {
  const stuck = new Set<string>()
  let current: ChildProcess | undefined
  let isClosed = false
  let last: Promise<unknown> = Promise.resolve()
  const env = { ...pick(options.env), LC_ALL: 'C' }

  const ask = (file: string, args: readonly string[]): Promise<ToolOutcome> => {
    if (isClosed || stuck.has(file)) return Promise.resolve({ kind: 'silent' })
    const child = start(file, args, env)
    if (!child) return Promise.resolve({ kind: 'silent' })
    current = child
    stuck.add(file)
    child.once('close', () => stuck.delete(file))
    return outcomeOf(child, options.clock).finally(() => (current = undefined))
  }
  return {
    run: (file, args) => {
      const asked = last.then(() => ask(file, args))
      last = asked
      return asked
    },
    [Symbol.dispose]: () => {
      isClosed = true
      if (current) end(current)
    },
  }
}

/** `undefined` where the host has no descriptors or processes left for it. */
const start = (file: string, args: readonly string[], env: Readonly<Record<string, string>>) => {
  try {
    return spawn(file, [...args], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  } catch {
    // Most failures come as an event; those that are thrown are no answer either.
    return undefined
  }
}

const outcomeOf = (child: ChildProcess, clock: Clock): Promise<ToolOutcome> =>
  new Promise((resolve) => {
    const out = collect(child.stdout)
    const err = collect(child.stderr)
    const settle = (outcome: ToolOutcome) => {
      cancel()
      resolve(outcome)
    }
    const cancel: Cancel = clock.after(TOOL_TIMEOUT_MS, () => {
      end(child)
      settle({ kind: 'silent' })
    })
    child.once('error', (error: NodeJS.ErrnoException) =>
      settle({ kind: error.code === 'ENOENT' || error.code === 'EACCES' ? 'missing' : 'silent' }),
    )
    // What it left behind would hold the pipes open.
    child.once('exit', () => end(child))
    child.once('close', (code) =>
      settle({ kind: 'answered', code, out: out(), text: `${out()}\n${err()}` }),
    )
  })

const end = (child: ChildProcess): void => {
  if (child.pid !== undefined) killGroup(child.pid, 'SIGKILL')
}

const collect = (stream: Readable | null): (() => string) => {
  let text = ''
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    if (text.length < OUT_MAX_CHARS) text += chunk
  })
  return () => text
}

const pick = (env: Readonly<Record<string, string | undefined>>): Record<string, string> =>
  Object.fromEntries(
    ALLOWED.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  )
