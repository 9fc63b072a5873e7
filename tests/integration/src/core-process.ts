import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sleep } from '@berth/kernel'
import { spawnChild, systemClock } from '@berth/runtime'

/** One real process of orchestrator-core. */
export interface CoreProcess extends AsyncDisposable {
  readonly address: string
  readonly httpPort: number
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>
}

const MAIN = fileURLToPath(new URL('../../../apps/orchestrator-core/src/main.ts', import.meta.url))
const DEADLINE_MS = 20_000
const clock = systemClock()

/** Resolves once it prints that it is ready. `flags` are more of its own. Disposing kills it. */
export const startCoreProcess = async (
  natsUrl: string,
  ...flags: readonly string[]
): Promise<CoreProcess> => {
  const dir = await mkdtemp(join(tmpdir(), 'berth-core-'))
  const stdoutPath = join(dir, 'stdout')
  const ports = ['--grpc-port', '0', '--http-port', '0']
  const child = await spawnChild({
    argv: [process.execPath, MAIN, '--nats-url', natsUrl, ...ports, ...flags],
    env: {},
    cwd: dir,
    stdoutPath,
    stderrPath: join(dir, 'stderr'),
  })
  const kill = async () => {
    child.signalGroup('SIGKILL')
    await until('the core is gone', async () => (child.groupIsAlive() ? undefined : true))
  }
  const { grpcPort, httpPort } = await until('the core is ready', async () => {
    const lines = (await readFile(stdoutPath, 'utf8')).split('\n')
    const ready = lines.find((line) => line.includes('"msg":"ready"'))
    return ready ? (JSON.parse(ready) as { grpcPort: number; httpPort: number }) : undefined
  })
  return {
    address: `127.0.0.1:${grpcPort}`,
    httpPort,
    kill,
    [Symbol.asyncDispose]: async () => {
      await kill()
      await rm(dir, { recursive: true })
    },
  }
}

/** Asks until there is an answer; fails after 20 s. */
export const until = async <T>(what: string, ask: () => Promise<T | undefined>): Promise<T> => {
  for (const end = clock.now() + DEADLINE_MS; clock.now() < end; await sleep(clock, 20)) {
    const answer = await ask()
    if (answer !== undefined) return answer
  }
  throw new Error(`${what}: not within ${DEADLINE_MS} ms`)
}
