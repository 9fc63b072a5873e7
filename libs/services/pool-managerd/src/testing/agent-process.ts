import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PoolManagerService, type Pool } from '@berth/contract'
import { createClient, type Client } from '@berth/rpc'
import type { JournalEntry } from '../state/journal.ts'
import { eventually } from './eventually.ts'
import type { PoolsFolder } from './pools-folder.ts'

const MAIN = new URL('../../../../../apps/pool-managerd/src/main.ts', import.meta.url).pathname

export interface AgentPorts {
  readonly httpPort: number
  readonly ingressPort: number
  readonly grpcPort: number
  readonly epoch: number
}

/** An agent in a process of its own. */
export interface AgentProcess {
  readonly child: ChildProcess
  output(): string
  /** Facts of the line that says it is ready. */
  ready(): Promise<AgentPorts>
  /** The pool as `GetStatus` shows it. */
  status(poolId: string): Promise<Pool>
  /** Its commands, to be disposed. */
  client(): Promise<Client<typeof PoolManagerService> & Disposable>
  /** Waits until the pool takes requests. */
  poolIsReady(poolId: string): Promise<Pool>
  /** Signals it, waits for its end and gives the exit code. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>
}

export const startAgentProcess = (
  folder: PoolsFolder,
  natsUrl: string,
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): AgentProcess => {
  const child = spawn(
    process.execPath,
    [
      MAIN,
      ...['--grpc-port=0', '--ingress-port=0', '--http-port=0', '--drain-timeout-ms=200'],
      '--warm-up-tokens=0',
      ...['--pools-file', folder.poolsFile, '--state-dir', folder.stateDir],
      ...['--nats-url', natsUrl, '--engines-dir', folder.dir],
      ...flags,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } },
  )
  // A test that fails leaves nobody behind.
  const endWithTest = () => child.kill('SIGKILL')
  process.once('exit', endWithTest)
  child.once('exit', () => process.off('exit', endWithTest))
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const ready = () =>
    eventually('the agent is ready', () => {
      const line = text.split('\n').find((candidate) => candidate.includes('"msg":"ready"'))
      return line === undefined ? undefined : (JSON.parse(line) as AgentPorts)
    })
  const connect = async () => {
    const address = `127.0.0.1:${(await ready()).grpcPort}`
    return createClient(PoolManagerService, { address, defaultDeadlineMs: 15_000 })
  }
  const status = async (poolId: string) => {
    using client = await connect()
    return (await client.getStatus({ poolId })).pool!
  }
  return {
    child,
    output: () => text,
    ready,
    status,
    client: connect,
    poolIsReady: (poolId) =>
      eventually(`pool ${poolId} is ready`, async () => {
        const pool = await status(poolId)
        return pool.ready && pool
      }),
    end: async (signal) => {
      child.kill(signal)
      const [code] = (await once(child, 'exit')) as [number | null]
      return code
    },
  }
}

/** The journal of the agent's engines, as it is on disk now. */
export const readEntries = async ({ stateDir }: PoolsFolder): Promise<readonly JournalEntry[]> =>
  JSON.parse(await readFile(join(stateDir, 'instances.json'), 'utf8')) as JournalEntry[]
