import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { kill } from 'node:process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep } from '@berth/kernel'
import { onProcessExit, readProcessEnv, spawnChild, systemClock, type Child } from '@berth/runtime'

/** A real nats-server of a test, on a port of its own. */
export interface NatsServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly storeDir: string
  readonly pid: number
  /** SIGTERM, and waits until it has ended. */
  stop(): Promise<void>
  /** SIGKILL, and waits until it has ended. */
  kill(): Promise<void>
  /** Starts it again on the same port with the same store, after `stop` or `kill`. */
  restart(): Promise<void>
  /** Stops it where it stands, connections open, and waits until no thread of it runs. */
  freeze(): Promise<void>
  readonly thaw: () => void
  /** Deletes what JetStream has stored. Only while it is stopped. */
  loseState(): Promise<void>
}

const DEADLINE_MS = 10_000
const clock = systemClock()

/** Disposing ends it and deletes its store. Throws when there is no `nats-server` to be found. */
export const startNatsServer = async (options: {
  readonly jetstream: boolean
}): Promise<NatsServer> => {
  const binary = findBinary()
  const dir = await mkdtemp(join(tmpdir(), 'berth-nats-'))
  const storeDir = join(dir, 'store')
  const start = async (port: number) => {
    const jetstream = options.jetstream ? ['-js', '-sd', storeDir] : []
    const log = join(dir, 'nats-server.log')
    const child = await spawnChild({
      argv: [binary, '-a', '127.0.0.1', '-p', String(port), '--ports_file_dir', dir, ...jetstream],
      env: {},
      cwd: dir,
      stdoutPath: log,
      stderrPath: log,
    })
    child.onExit(onProcessExit(() => child.signalGroup('SIGKILL')))
    return child
  }

  let child = await start(-1)
  const port = await readPort(dir, child)
  await accepts(port, dir)
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    child.signalGroup(signal)
    await until('nats-server ends', dir, async () => !child.groupIsAlive())
  }
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    storeDir,
    get pid() {
      return child.pid
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    restart: async () => {
      child = await start(port)
      await accepts(port, dir)
    },
    freeze: async () => {
      kill(child.pid, 'SIGSTOP')
      // A signal takes effect when the process is next scheduled, thread by thread.
      await until('nats-server freezes', dir, async () => isStopped(child.pid))
    },
    thaw: () => kill(child.pid, 'SIGCONT'),
    loseState: () => rm(storeDir, { recursive: true, force: true }),
    [Symbol.asyncDispose]: async () => {
      await end('SIGKILL')
      await rm(dir, { recursive: true, force: true })
    },
  }
}

const isStopped = (pid: number): boolean =>
  readdirSync(`/proc/${pid}/task`).every((thread) =>
    /\) T /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')),
  )

const findBinary = (): string => {
  const dirs = [...(readProcessEnv().env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/bin']
  const found = dirs.map((dir) => join(dir, 'nats-server')).find((path) => existsSync(path))
  if (found) return found
  throw new Error('nats-server was not found on PATH. Install it: apt-get install nats-server')
}

/** The server chooses its port and writes it down. */
const readPort = async (dir: string, child: Child): Promise<number> => {
  let port: number | undefined
  await until('nats-server writes its ports', dir, async () => {
    const name = (await readdir(dir)).find((file) => file.endsWith(`_${child.pid}.ports`))
    const text = name ? await readFile(join(dir, name), 'utf8') : ''
    port = Number(/"nats":\s*\[\s*"nats:\/\/127\.0\.0\.1:(\d+)"/.exec(text)?.[1] ?? NaN)
    return Number.isInteger(port)
  })
  return port as number
}

const accepts = (port: number, dir: string) =>
  until('nats-server greets', dir, () => {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const socket = connect(port, '127.0.0.1')
    socket.once('data', (data) => resolve(data.toString().startsWith('INFO')))
    socket.once('error', () => resolve(false))
    socket.setTimeout(1000, () => resolve(false))
    return promise.finally(() => socket.destroy())
  })

const until = async (what: string, dir: string, holds: () => Promise<boolean>): Promise<void> => {
  for (const end = clock.now() + DEADLINE_MS; !(await holds()); await sleep(clock, 20)) {
    if (clock.now() < end) continue
    const log = await readFile(join(dir, 'nats-server.log'), 'utf8').catch(() => 'no log')
    throw new Error(`Not within ${DEADLINE_MS} ms: ${what}\n${log.slice(-2000)}`)
  }
}
