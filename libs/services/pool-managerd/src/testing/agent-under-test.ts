import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { PoolManagerService, type PoolState, type Pool } from '@berth/contract'
import { randomUuid } from '@berth/kernel'
import { deriveHostKey, mintLeaseToken, type LeaseClaims, type LeaseKey } from '@berth/lease'
import { createClient, type Client } from '@berth/rpc'
import { createScope, createSilentLogger, readProcessEnv, systemRng } from '@berth/runtime'
import { startAgent, type Agent } from '../agent.ts'
import { settingsSchema } from '../settings.ts'
import { eventually } from './eventually.ts'
import { makePoolsFolder, type PoolsFolder } from './pools-folder.ts'

export const KEY: LeaseKey = { keyId: 't7', key: deriveHostKey(new Uint8Array(32), 'h1') }
export const TERM = 7
const rng = systemRng()

/** An agent in this process, with real engines, seen through its doors only. */
export interface AgentUnderTest extends AsyncDisposable {
  readonly agent: Agent
  readonly folder: PoolsFolder
  readonly client: Client<typeof PoolManagerService>
  status(poolId: string): Promise<Pool>
  /** Waits until the pool is in the state. */
  reaches(poolId: string, state: PoolState): Promise<Pool>
  token(poolId: string, claims?: Partial<LeaseClaims>, key?: LeaseKey): string
  /** Sends a request to the ingress; the body of the response is unread. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<IncomingMessage>
  /** The simulator's own account of itself. */
  simState(poolId: string): Promise<SimState>
  /** Turns knobs of the simulator while it runs. */
  turn(poolId: string, knobs: object): Promise<void>
}

export interface SimState {
  readonly pid: number
  readonly orphan_pid: number | null
  /** Variables that say which devices the process may see, as it has them. */
  readonly device_mask: Readonly<Record<string, string>>
  readonly counters: {
    readonly running: number
    readonly aborted: number
    readonly tokens_sent: number
  }
}

export const startTestAgent = async (
  natsUrl: string,
  pools: readonly object[],
  more: Partial<Record<keyof typeof settingsSchema.shape, unknown>> = {},
  moreEnv: Readonly<Record<string, string>> = {},
): Promise<AgentUnderTest> => {
  const folder = await makePoolsFolder({ host: 'h1', pools })
  const scope = createScope()
  const settings = settingsOf(folder, natsUrl, more)
  const { env: ownEnv, pid } = readProcessEnv()
  const env = { ...ownEnv, ...moreEnv }
  const nodePath = process.execPath
  const uid = process.getuid?.() ?? -1
  const surroundings = { env, pid, uid, nodePath, bundleDir: folder.dir, version: '0.0.0-test' }
  const agent = await started(
    startAgent(settings, surroundings, { scope, log: LOG }),
    scope,
    folder,
  )
  const address = `127.0.0.1:${agent.grpcPort}`
  const client = scope.use(createClient(PoolManagerService, { address, defaultDeadlineMs: 15_000 }))
  const status = async (poolId: string) => (await client.getStatus({ poolId })).pool!
  await client.installLeaseKey({
    hostId: 'h1',
    term: BigInt(TERM),
    keyId: KEY.keyId,
    key: KEY.key,
    epoch: BigInt(agent.epoch),
  })
  return {
    agent,
    folder,
    client,
    status,
    reaches: (poolId, state) =>
      eventually(`${poolId} reaches ${state}`, async () => {
        const pool = await status(poolId)
        return pool.state === state && pool
      }),
    token: (poolId, claims = {}, key = KEY) =>
      mintLeaseToken(key, {
        leaseId: randomUuid(rng),
        hostId: 'h1',
        poolId,
        epoch: agent.epoch,
        term: TERM,
        modelId: 'sim-model',
        expiresAtMs: 4_000_000_000_000,
        ...claims,
      }),
    post: (path, body, headers = {}) => send(agent.ingressPort, path, { body, headers }),
    simState: async (poolId) => {
      const pid = (await status(poolId)).pid
      return JSON.parse(await read(await send(await enginePortOf(pid), '/__sim/state'))) as SimState
    },
    turn: async (poolId, knobs) => {
      const port = await enginePortOf((await status(poolId)).pid)
      await read(await send(port, '/__sim/knobs', { body: knobs }))
    },
    [Symbol.asyncDispose]: async () => {
      await scope[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

const LOG = createSilentLogger()

const settingsOf = (
  folder: PoolsFolder,
  natsUrl: string,
  more: Partial<Record<keyof typeof settingsSchema.shape, unknown>>,
) =>
  settingsSchema.parse({
    poolsFile: folder.poolsFile,
    stateDir: folder.stateDir,
    natsUrl,
    grpcPort: 0,
    ingressPort: 0,
    httpPort: 0,
    drainTimeoutMs: 200,
    stopEnginesOnExit: true,
    // What engines are asked is what a test asks.
    warmUpTokens: 0,
    preloadConcurrency: 8,
    ...more,
  })

/** An agent that does not start leaves nothing behind either. */
const started = async (
  starting: Promise<Agent>,
  scope: AsyncDisposable,
  folder: PoolsFolder,
): Promise<Agent> => {
  try {
    return await starting
  } catch (error) {
    await scope[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
    throw error
  }
}

/** The engine's port as its command line has it. */
export const enginePortOf = async (pid: number): Promise<number> => {
  const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
  return Number(argv[argv.indexOf('--port') + 1])
}

export const send = async (
  port: number,
  path: string,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<IncomingMessage> => {
  const method = body === undefined ? 'GET' : 'POST'
  const outgoing = request({ host: '127.0.0.1', port, path, method, headers, agent: false })
  outgoing.end(body === undefined ? '' : JSON.stringify(body))
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return response
}

export const read = async (response: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

export const chat = (more: object = {}) => ({
  model: 'sim-model',
  messages: [{ role: 'user', content: 'Tell me of ships.' }],
  ...more,
})
