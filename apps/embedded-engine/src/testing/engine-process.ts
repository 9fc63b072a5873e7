import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { tinyGguf, writeGgufImage, type TinyGgufOptions } from '@berth/model-files'

const RUNTIME_DIR = new URL('../../../../.berth/embedded-engine', import.meta.url).pathname
const INSTALL = new URL('../../../../tools/install-embedded-runtime.ts', import.meta.url).pathname
const MAIN = new URL('../main.ts', import.meta.url).pathname
const DEADLINE_MS = 60_000

/** A folder with models, removed with `dispose`; the runtime is installed where it is missing. */
export const prepareModels = async () => {
  await promisify(execFile)(process.execPath, [INSTALL, RUNTIME_DIR])
  const dir = await mkdtemp(join(tmpdir(), 'berth-embedded-'))
  return {
    dir,
    make: async (name: string, options: TinyGgufOptions = {}): Promise<string> => {
      const path = join(dir, name)
      await writeGgufImage(path, tinyGguf(options))
      return path
    },
    dispose: () => rm(dir, { recursive: true, force: true }),
  }
}

export type EngineProcess = Awaited<ReturnType<typeof startEngine>>

/** Starts the engine as a process and waits for `until` on its stderr: its port is open then. */
export const startEngine = async (
  flags: readonly string[],
  { until = 'model loaded', env = {} }: { until?: string; env?: Record<string, string> } = {},
) => {
  const argv = [MAIN, '--runtime-dir', RUNTIME_DIR, '--port', '0', ...flags]
  const child = spawn(process.execPath, argv, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  })
  // 'close' and not 'exit': by then the last line has been read.
  const exited = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
  }))
  const lines: string[] = []
  const { promise: reached, resolve } = Promise.withResolvers<undefined>()
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line)
    if (line.includes(until)) resolve(undefined)
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
  await Promise.race([reached, exited])
  clearTimeout(timer)
  const url = /listening on (\S+)/.exec(lines.join('\n'))?.[1] ?? ''
  return {
    pid: child.pid!,
    url,
    lines,
    exited,
    signal: (name: NodeJS.Signals) => child.kill(name),
    get: (path: string) => fetch(url + path),
    post: (path: string, body: unknown, init: RequestInit = {}) =>
      fetch(url + path, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...init,
      }),
    stop: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** Asks until the answer satisfies, within a deadline. */
export const waitFor = async <T>(
  ask: () => Promise<T>,
  isGood: (value: T) => boolean,
): Promise<T> => {
  const deadline = performance.now() + 30_000
  for (;;) {
    const value = await ask()
    if (isGood(value)) return value
    if (performance.now() > deadline) throw new Error(`Still ${JSON.stringify(value)}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** The JSON of each event of a stream, without `[DONE]`, and whether that came last. */
export const readEvents = async (response: Response) => {
  const events = (await response.text()).split('\n\n').filter((event) => event !== '')
  const data = events.map((event) => event.replace(/^data: /, ''))
  const isDone = data.at(-1) === '[DONE]'
  const chunks = (isDone ? data.slice(0, -1) : data).map((text) => JSON.parse(text) as Chunk)
  return { chunks, isDone }
}

export interface Chunk {
  readonly choices: readonly {
    readonly delta: { readonly role?: string; readonly content?: string | null }
    readonly finish_reason: string | null
  }[]
  readonly usage?: Usage
}

export interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
}
