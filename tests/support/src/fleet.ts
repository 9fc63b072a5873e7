import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { endEngines } from './end-engines.ts'
import { EMBEDDED_RUNTIME_DIR, type PoolEntry } from './pool-entries.ts'
import { startService, type ServiceProcess } from './service-process.ts'
import { simAdmin, type SimAdmin } from './sim-admin.ts'
import { until } from './until.ts'

type Flags = Readonly<Record<string, string | number>>

export interface HostOptions {
  readonly hostId: string
  readonly pools: readonly PoolEntry[]
}

export interface FleetOptions {
  /** One agent each. */
  readonly hosts: readonly HostOptions[]
  /** More flags of a service: `{ '--max-wait-ms': 500 }`. */
  readonly gatewayFlags?: Flags
  readonly coreFlags?: Flags
  readonly agentFlags?: Flags
  /** Added to the environment of every agent. */
  readonly agentEnv?: Readonly<Record<string, string>>
  /** Sent by `get` and `chat`, where the gateway asks for a key. */
  readonly key?: string
  /** How many of each; 1 when absent. */
  readonly cores?: number
  readonly gateways?: number
  /** Do not wait until every pool is ready. */
  readonly isReadyNotAwaited?: boolean
}

/** A whole fleet of real processes. Disposing ends them all and deletes what they wrote. */
export interface Fleet extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` of the gateway. */
  readonly url: string
  readonly dir: string
  readonly nats: NatsServer
  /** The first of `cores` and of `gateways`. */
  readonly core: ServiceProcess
  readonly gateway: ServiceProcess
  readonly cores: readonly ServiceProcess[]
  readonly gateways: readonly ServiceProcess[]
  /** `http://127.0.0.1:<port>` of each gateway. */
  readonly urls: readonly string[]
  agent(hostId: string): ServiceProcess
  /** The admin routes of a simulated engine. */
  sim(poolId: string): SimAdmin
  /** `GET` of a control route, as JSON. */
  get<T>(path: string): Promise<T>
  /** A chat completion with plain `fetch`. */
  chat(body: Readonly<Record<string, unknown>>, init?: RequestInit): Promise<Response>
  /** Resolves when the pool may take jobs. */
  poolIsReady(poolId: string): Promise<void>
}

/** Starts NATS, core, agents and a gateway from `dist`, on ports of the system's choice. */
export const startFleet = async (options: FleetOptions): Promise<Fleet> => {
  await using building = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'berth-fleet-'))
  building.defer(() => rm(dir, { recursive: true, force: true }))
  const nats = building.use(await startNatsServer({ jetstream: true }))
  const natsUrl = { '--nats-url': nats.url }
  const cores = await startSome(building, options.cores ?? 1, (n) =>
    startService({
      app: 'orchestrator-core',
      name: nameOf('core', n),
      dir,
      portFlags: { grpcPort: '--grpc-port', httpPort: '--http-port' },
      flags: { ...natsUrl, ...options.coreFlags },
    }),
  )
  const pools = options.hosts.flatMap((host) => host.pools)
  // An agent that was killed cannot end its engines.
  building.defer(() => endEngines(pools))
  const agents = new Map<string, ServiceProcess>()
  for (const host of options.hosts) {
    const flags = { ...natsUrl, ...options.agentFlags }
    agents.set(
      host.hostId,
      building.use(await startAgent(dir, host, { ...options, agentFlags: flags })),
    )
  }
  const coreAddresses = cores.map(({ ports }) => `127.0.0.1:${ports['grpcPort']}`).join(',')
  const gateways = await startSome(building, options.gateways ?? 1, (n) =>
    startService({
      app: 'orchestratord',
      name: nameOf('gateway', n),
      dir,
      portFlags: { httpPort: '--http-port' },
      flags: {
        '--core-addresses': coreAddresses,
        '--drain-timeout-ms': 500,
        ...options.gatewayFlags,
      },
    }),
  )
  const urls = gateways.map(({ ports }) => `http://127.0.0.1:${ports['httpPort']}`)
  const url = urls[0]!
  const auth = options.key === undefined ? {} : { authorization: `Bearer ${options.key}` }
  const get = async <T>(path: string) =>
    (await (await fetch(url + path, { headers: auth })).json()) as T
  const poolIsReady = async (poolId: string) => {
    await until(`pool ${poolId} is ready`, async () => {
      const pool = await get<PoolHealth>(`/v1/pools/${poolId}/health`)
      return pool.ready === true && pool.ineligible_reason === null
    })
  }
  for (const each of urls)
    await until('the gateway is ready', async () => (await fetch(`${each}/readyz`)).ok)
  if (!options.isReadyNotAwaited) await Promise.all(pools.map(({ entry }) => poolIsReady(entry.id)))
  const owned = building.move()
  return {
    url,
    dir,
    nats,
    core: cores[0]!,
    gateway: gateways[0]!,
    cores,
    gateways,
    urls,
    get,
    poolIsReady,
    agent: (hostId) => known(agents.get(hostId), `host ${hostId}`),
    sim: (poolId) => {
      const pool = pools.find(({ entry }) => entry.id === poolId)
      return simAdmin(`http://127.0.0.1:${known(pool?.enginePort, `engine of ${poolId}`)}`)
    },
    chat: (body, init = {}) =>
      fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }], ...body }),
        ...init,
        headers: { 'Content-Type': 'application/json', ...auth, ...init.headers },
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

interface PoolHealth {
  readonly ready?: boolean
  readonly ineligible_reason?: string | null
}

const startAgent = async (
  dir: string,
  { hostId, pools }: HostOptions,
  { agentFlags: flags, agentEnv: env }: Pick<FleetOptions, 'agentFlags' | 'agentEnv'>,
) => {
  const poolsFile = join(dir, `${hostId}.pools.yaml`)
  const stateDir = join(dir, hostId)
  await mkdir(stateDir)
  // JSON is YAML.
  await writeFile(
    poolsFile,
    JSON.stringify({ host: hostId, pools: pools.map(({ entry }) => entry) }),
  )
  return startService({
    app: 'pool-managerd',
    ...(env === undefined ? {} : { env }),
    name: hostId,
    dir,
    portFlags: {
      grpcPort: '--grpc-port',
      ingressPort: '--ingress-port',
      httpPort: '--http-port',
    },
    flags: {
      '--pools-file': poolsFile,
      '--state-dir': stateDir,
      '--embedded-runtime-dir': EMBEDDED_RUNTIME_DIR,
      '--stop-engines-on-exit': 'true',
      '--warm-up-tokens': 0,
      ...flags,
    },
  })
}

/** Starts the 1st to the `count`th at once. */
const startSome = async (
  building: AsyncDisposableStack,
  count: number,
  start: (n: number) => Promise<ServiceProcess>,
): Promise<readonly ServiceProcess[]> => {
  const starting = Array.from({ length: count }, (_, index) => start(index + 1))
  // What did start is ended even when another did not.
  const settled = await Promise.allSettled(starting)
  for (const each of settled) if (each.status === 'fulfilled') building.use(each.value)
  return Promise.all(starting)
}

const nameOf = (kind: string, n: number) => (n === 1 ? kind : `${kind}-${n}`)

const known = <T>(value: T | undefined, what: string): T => {
  if (value === undefined) throw new Error(`This fleet has no ${what}`)
  return value
}
