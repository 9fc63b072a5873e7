import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onProcessExit, spawnChild, type Child } from '@berth/runtime'
import { until } from './until.ts'

/** `BERTH_TEST_DIST` names other bundles to test. */
const DIST = process.env['BERTH_TEST_DIST'] ?? join(import.meta.dirname, '..', '..', '..', 'dist')

/** As `berth up` and the images start Node. */
const flagsOf = (app: string) => [`--max-semi-space-size=${app === 'pool-managerd' ? 1 : 2}`]

/** One service of a fleet as a child process, from its bundle. */
export interface ServiceProcess extends AsyncDisposable {
  readonly pid: number
  /** What its `ready` line says: `grpcPort`, `httpPort`, `ingressPort`. */
  readonly ports: Readonly<Record<string, number>>
  /** Every JSON line it has logged, over all its lives. */
  lines(): Promise<readonly Readonly<Record<string, unknown>>[]>
  isAlive(): boolean
  /** Ends it and waits until it is gone. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Starts it again, on the ports it had. Only after `end`. */
  restart(): Promise<void>
}

export interface ServiceOptions {
  /** The bundle: `orchestratord`, `orchestrator-core`, `pool-managerd`. */
  readonly app: string
  /** Folder for its output; made by the caller. */
  readonly dir: string
  /** Names its files, where several of one kind run. */
  readonly name: string
  readonly flags: Readonly<Record<string, string | number | undefined>>
  /** Added to its environment, which else is PATH alone. */
  readonly env?: Readonly<Record<string, string>>
  /** Flags that take over the ports of the first life: `{ grpcPort: '--grpc-port' }`. */
  readonly portFlags: Readonly<Record<string, string>>
}

// A runner that is signalled would go without its `exit` handlers, and leave a whole fleet behind.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1))

/** Starts a service and waits until it says that it is ready. */
export const startService = async (options: ServiceOptions): Promise<ServiceProcess> => {
  const bundle = join(DIST, `${options.app}.js`)
  if (!existsSync(bundle)) throw new Error(`There is no ${bundle}. Run: node tools/build.ts`)
  const out = join(options.dir, `${options.name}.log`)
  const err = join(options.dir, `${options.name}.err`)
  let ports: Record<string, number> = {}
  let lives = 0

  const lines = async () => (await readFile(out, 'utf8').catch(() => '')).split('\n').flatMap(parse)
  const start = async (): Promise<Child> => {
    const child = await spawnChild({
      argv: [process.execPath, ...flagsOf(options.app), bundle, ...argsOf(options, ports)],
      env: { PATH: process.env['PATH'] ?? '', ...options.env },
      cwd: options.dir,
      stdoutPath: out,
      stderrPath: err,
    })
    // In order, so that an agent takes its engines with it: they have process groups of their own.
    child.onExit(onProcessExit(() => child.signalGroup('SIGTERM')))
    lives += 1
    const ready = await until(`${options.name} is ready`, async () => {
      const said = (await lines()).filter(({ msg }) => msg === 'ready')
      if (said.length >= lives) return said.at(-1)
      if (!child.groupIsAlive()) throw new Error(`${options.name} ended: ${await tail(out, err)}`)
      return undefined
    })
    ports = portsOf(ready)
    return child
  }
  let child = await start()
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    child.signalGroup(signal)
    await until(`${options.name} ends`, () => !child.groupIsAlive())
  }
  return {
    get pid() {
      return child.pid
    },
    get ports() {
      return ports
    },
    lines,
    isAlive: () => child.groupIsAlive(),
    end,
    restart: async () => {
      child = await start()
    },
    [Symbol.asyncDispose]: () => end(child.groupIsAlive() ? 'SIGTERM' : 'SIGKILL'),
  }
}

const argsOf = ({ flags, portFlags }: ServiceOptions, ports: Record<string, number>): string[] => {
  const taken = Object.entries(portFlags).map(([key, flag]) => `${flag}=${ports[key] ?? 0}`)
  const given = Object.entries(flags).flatMap(([flag, value]) =>
    value === undefined ? [] : [`${flag}=${value}`],
  )
  return [...taken, ...given]
}

const portsOf = (ready: Readonly<Record<string, unknown>>): Record<string, number> => {
  const nested = (ready['ports'] ?? {}) as Record<string, unknown>
  return Object.fromEntries(
    Object.entries({ ...ready, ...nested }).filter(
      (entry): entry is [string, number] =>
        entry[0].endsWith('Port') && typeof entry[1] === 'number',
    ),
  )
}

const parse = (line: string): Readonly<Record<string, unknown>>[] => {
  // What is no JSON is output of something else, or a line that is being written.
  if (!line.startsWith('{') || !line.endsWith('}')) return []
  return [JSON.parse(line) as Record<string, unknown>]
}

const tail = async (...files: string[]) =>
  (await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => ''))))
    .join('\n')
    .slice(-2_000)
