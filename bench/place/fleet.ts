import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNatsServer } from '@berth/bus/testing'
import { FleetService } from '@berth/contract'
import { createClient } from '@berth/rpc'
import { readyPool, startFakeAgent } from '@berth/test-support/fake-agent'
import { startService, until } from '@berth/test-support'
import { MODEL } from './bench-job.ts'

const HOSTS = 8
const POOLS_PER_HOST = 8
/** So many that a slot is always free. */
const SLOTS_PER_POOL = 512

/** A real NATS and a real core from `dist`, and hosts of which only the snapshots are real. */
export interface PlaceFleet extends AsyncDisposable {
  readonly pools: number
  /** `host:port` of core. */
  readonly address: string
}

/** Resolves when every pool takes jobs. */
export const startPlaceFleet = async (): Promise<PlaceFleet> => {
  await using building = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'berth-bench-'))
  building.defer(() => rm(dir, { recursive: true, force: true }))
  const nats = building.use(await startNatsServer({ jetstream: true }))
  const core = building.use(
    await startService({
      ...{ app: 'orchestrator-core', name: 'core', dir },
      portFlags: { grpcPort: '--grpc-port', httpPort: '--http-port' },
      flags: { '--nats-url': nats.url },
    }),
  )
  for (let host = 0; host < HOSTS; host++) {
    const agent = building.use(await startFakeAgent(nats.url, `host-${host}`))
    const ids = Array.from({ length: POOLS_PER_HOST }, (_, n) => `pool-${host}-${n}`)
    agent.publish(...ids.map((id) => readyPool(id, { slotsTotal: SLOTS_PER_POOL })))
  }
  const pools = HOSTS * POOLS_PER_HOST
  const address = `127.0.0.1:${core.ports['grpcPort']}`
  using client = createClient(FleetService, { address, defaultDeadlineMs: 5_000 })
  await until(`${pools} pools with ${MODEL} take jobs`, async () => {
    const known = (await client.listPools({})).pools
    return known.filter(({ ineligibleReason }) => ineligibleReason === '').length === pools
  })
  const owned = building.move()
  return { pools, address, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
