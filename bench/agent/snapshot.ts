import { clone, create, toBinary } from '@bufbuild/protobuf'
import { setTimeout as pause } from 'node:timers/promises'
import { subjects } from '@berth/bus'
import {
  HostSnapshotSchema,
  PerformanceHintSchema,
  type HostSnapshot,
  type Pool,
} from '@berth/contract'
import { startFreeEngine } from '../gateway/free-engine.ts'
import { startRig } from './agent-rig.ts'

const POOLS = 64
/** What the agent keeps of each pool at most (`performance-message.ts`, `step.ts`). */
const CELLS = 24
const TRANSITIONS = 50

/** How large the snapshot of a host with many pools is, and how often it is sent. */
export const measureSnapshot = async (seconds: number) => {
  using engine = await startFreeEngine('bench')
  const ids = Array.from({ length: POOLS }, (_, n) => `pool-${n}`)
  const pools = ids.map((id) => ({ id, engine: 'openai', url: engine.url, model: 'bench' }))
  await using rig = await startRig(pools)
  for (const id of ids) await rig.poolIs(id, ({ ready }) => ready)
  const seen: number[] = []
  const snapshot = subjects.hostSnapshot('bench')
  rig.bus.subscribe(snapshot, (message) => {
    seen.push(toBinary(HostSnapshotSchema, message).length)
  })
  await pause(seconds * 1_000)
  const { host } = await rig.client.getHost({})
  return {
    pools: POOLS,
    bytes: toBinary(HostSnapshotSchema, host!).length,
    bytes_when_full: toBinary(HostSnapshotSchema, full(host!)).length,
    bus_limit_bytes: 1_048_576,
    seconds,
    sent_while_idle: seen.length,
    idle_bytes_per_s: Math.round(seen.reduce((sum, bytes) => sum + bytes, 0) / seconds),
  }
}

/** The same host with all that can be known of each pool. */
const full = (host: HostSnapshot): HostSnapshot => {
  const whole = clone(HostSnapshotSchema, host)
  for (const pool of whole.pools) fill(pool)
  return whole
}

const MODEL = 'organisation/a-model-with-a-name-of-some-length'

const fill = (pool: Pool): void => {
  const transition = pool.transitions[0]!
  const reason = 'x'.repeat(60)
  pool.lastError = 'x'.repeat(300)
  pool.leaseIds = Array.from({ length: 16 }, () => crypto.randomUUID())
  pool.transitions = Array.from({ length: TRANSITIONS }, () => ({ ...transition, reason }))
  pool.performance = create(PerformanceHintSchema, {
    ...{ tokensPerS: 1.5, firstTokenMs: 1.5, prefillTokensPerS: 1.5, samples: 10_000 },
    cells: Array.from({ length: CELLS }, (_, n) => ({
      ...{ modelId: MODEL, promptBand: n % 10, occupancyBand: n % 9 },
      ...{ tokensPerS: 1.5, firstTokenMs: 1.5, samples: 10_000 },
    })),
  })
}
