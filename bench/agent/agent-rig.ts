import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connectBus, type Bus } from '@berth/bus'
import { startNatsServer } from '@berth/bus/testing'
import { PoolManagerService, type Pool } from '@berth/contract'
import { deriveHostKey, mintLeaseToken, type LeaseKey } from '@berth/lease'
import { createClient, type Client } from '@berth/rpc'
import { createSilentLogger } from '@berth/runtime'
import { startService } from '@berth/test-support'

const HOST = 'bench'
const TERM = 1
const KEY: LeaseKey = { keyId: 't1', key: deriveHostKey(new Uint8Array(32), HOST) }
const DEADLINE_MS = 60_000

/** An agent in a process of its own, with nothing around it but a bus. */
export interface AgentRig extends AsyncDisposable {
  readonly pid: number
  readonly dir: string
  readonly ports: Readonly<Record<string, number>>
  readonly client: Client<typeof PoolManagerService>
  readonly bus: Bus
  status(poolId: string): Promise<Pool>
  /** Waits for a pool to be as it should; asks every 5 ms. */
  poolIs(poolId: string, is: (pool: Pool) => boolean): Promise<Pool>
  /** A lease of its own for one request. */
  token(poolId: string): string
}

export const startRig = async (
  pools: readonly (object & { readonly id: string })[],
  flags: Readonly<Record<string, string | number>> = {},
): Promise<AgentRig> => {
  await using building = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'berth-bench-agent-'))
  building.defer(() => rm(dir, { recursive: true, force: true }))
  const nats = building.use(await startNatsServer({ jetstream: true }))
  const file = join(dir, 'pools.yaml')
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ host: HOST, pools }))
  const service = building.use(
    await startService({
      ...{ app: 'pool-managerd', name: 'agent', dir },
      portFlags: {
        grpcPort: '--grpc-port',
        ingressPort: '--ingress-port',
        httpPort: '--http-port',
      },
      flags: {
        '--pools-file': file,
        '--state-dir': join(dir, 'state'),
        '--nats-url': nats.url,
        '--stop-engines-on-exit': 'true',
        '--warm-up-tokens': 0,
        ...flags,
      },
    }),
  )
  const address = `127.0.0.1:${service.ports['grpcPort']}`
  const client = building.use(
    createClient(PoolManagerService, { address, defaultDeadlineMs: DEADLINE_MS }),
  )
  const log = createSilentLogger()
  const bus = building.use(await connectBus({ url: nats.url, name: 'bench', log }))
  const { epoch } = (await client.getHost({})).host!
  const key = { keyId: KEY.keyId, key: KEY.key }
  await client.installLeaseKey({ hostId: HOST, term: BigInt(TERM), epoch, ...key })

  const status = async (poolId: string) => (await client.getStatus({ poolId })).pool!
  const poolIs = async (poolId: string, is: (pool: Pool) => boolean) => {
    const deadline = performance.now() + DEADLINE_MS
    for (;;) {
      const pool = await status(poolId)
      if (is(pool)) return pool
      if (performance.now() > deadline) throw new Error(`Waited in vain for pool ${poolId}`)
      await pause(5)
    }
  }
  let leases = 0
  const parts = building.move()
  return {
    ...{ pid: service.pid, dir, ports: service.ports, client, bus, status, poolIs },
    token: (poolId) =>
      mintLeaseToken(KEY, {
        ...{ leaseId: `bench-${(leases += 1)}`, hostId: HOST, poolId, epoch: Number(epoch) },
        ...{ term: TERM, modelId: 'bench', expiresAtMs: 4_000_000_000_000 },
      }),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

/** A simulated pool that is up at once and comes back without a long wait. */
export const benchPool = (id: string, more: object = {}, knobs: object = {}) => ({
  ...{ id, engine: 'sim', model: 'bench', slots: 4 },
  engine_options: { load_ms: 0, tokens_per_s: 0, ...knobs },
  ...more,
})

/** Seconds of processor time a process has had. */
export const cpuSeconds = async (pid: number): Promise<number> => {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ')
  // Fields 14 and 15 of proc(5), in ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) / 100
}

export const rssMb = async (pid: number): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024)
}
