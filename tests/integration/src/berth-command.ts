import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '../../..')

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A running `./berth`, from this checkout, with a run folder of its own. */
export interface BerthCommand {
  readonly pid: number
  /** What it has written so far, both streams. */
  output(): string
  /** Resolves when the output holds `text`; rejects when the command ends without it. */
  saw(text: string | RegExp): Promise<void>
  signal(name: NodeJS.Signals): void
  readonly ended: Promise<Ended>
}

/** A folder for one fleet, removed with everything that still runs in it. */
export interface RunFolder extends AsyncDisposable {
  readonly path: string
  berth(args: readonly string[], options?: CommandOptions): BerthCommand
  /** Processes that have the folder in their environment, or its files open. */
  processes(): string[]
  /** Ports of the fleet as `up` wrote them down; empty before it has. */
  ports(): number[]
  state(): Record<string, unknown> | undefined
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>
  /** The script to run instead of this checkout's. */
  readonly script?: string
  readonly cwd?: string
}

export const createRunFolder = (): RunFolder => {
  const path = mkdtempSync(join(tmpdir(), 'berth-run-'))
  const commands: BerthCommand[] = []
  const state = () => {
    try {
      return JSON.parse(readFileSync(join(path, 'state.json'), 'utf8')) as Record<string, unknown>
    } catch {
      // Not written yet, or removed by an orderly end.
      return undefined
    }
  }
  return {
    path,
    berth: (args, options = {}) => {
      const command = start(path, args, options)
      commands.push(command)
      return command
    },
    processes: () => processesOf(path),
    ports: () => Object.values((state()?.['ports'] ?? {}) as Record<string, number>),
    state,
    [Symbol.asyncDispose]: async () => {
      for (const command of commands) command.signal('SIGKILL')
      await Promise.all(commands.map((command) => command.ended))
      await start(path, ['down'], {}).ended
      rmSync(path, { recursive: true, force: true })
    },
  }
}

/** `up` would use the Ollama of whoever runs the tests. */
const NO_OLLAMA = { OLLAMA_HOST: '127.0.0.1:1' }

const start = (folder: string, args: readonly string[], options: CommandOptions): BerthCommand => {
  const child = spawn(options.script ?? join(root, 'berth'), args, {
    cwd: options.cwd ?? tmpdir(),
    env: { ...process.env, ...NO_OLLAMA, NODE_OPTIONS: '', BERTH_RUN_DIR: folder, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  const watchers = new Set<() => void>()
  const onData = (add: (text: string) => void) => (bytes: Buffer) => {
    add(bytes.toString())
    for (const watcher of watchers) watcher()
  }
  child.stdout.on(
    'data',
    onData((text) => (stdout += text)),
  )
  child.stderr.on(
    'data',
    onData((text) => (stderr += text)),
  )
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
  const output = () => stdout + stderr
  return {
    pid: child.pid ?? 0,
    output,
    saw: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const isThere = typeof text === 'string' ? output().includes(text) : text.test(output())
          if (!isThere) return
          watchers.delete(look)
          resolve()
        }
        watchers.add(look)
        look()
        void ended.then(() => reject(new Error(`It ended without ${String(text)}:\n${output()}`)))
      }),
    signal: (name) => void child.kill(name),
    ended,
  }
}

const processesOf = (folder: string): string[] =>
  readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => belongsTo(pid, folder))
    .map((pid) => `${pid} ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`)

const belongsTo = (pid: string, folder: string): boolean =>
  read(`/proc/${pid}/environ`).includes(folder) ||
  read(`/proc/${pid}/cmdline`).includes(folder) ||
  [1, 2].some((fd) => link(`/proc/${pid}/fd/${fd}`).startsWith(`${folder}/`))

/** A process may end between two looks at it. A zombie has an empty command line. */
const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

const link = (path: string): string => {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** True when something accepts connections on a port of this machine. */
export const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
