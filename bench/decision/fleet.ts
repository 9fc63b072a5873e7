import { createFleetView, foldSnapshot, markKeyed, reserve, type FleetView } from '@berth/fleet'
import { hostSnapshot, poolSnapshot } from '@berth/fleet/testing'
import { randomInt, seededRng, type HostId, type ModelId, type PoolId } from '@berth/kernel'
import { noteGrant, noteRelease, type PlacementJob } from '@berth/placement'

/** Pools on one host of the measured fleet. */
const POOLS_PER_HOST = 8

/**
 * The worst case for `place`: every pool has the model, so that none is skipped by the index. A
 * third of them is full, a tenth drains, speeds differ. The same fleet for the same size.
 */
export const buildFleet = (pools: number): FleetView => {
  const rng = seededRng(pools)
  const view = createFleetView()
  for (let first = 0; first < pools; first += POOLS_PER_HOST) {
    const count = Math.min(POOLS_PER_HOST, pools - first)
    const hostId = `host-${first}`
    const snapshots = Array.from({ length: count }, (_, n) =>
      poolSnapshot(`pool-${first + n}`, {
        slotsTotal: 4,
        isDraining: randomInt(rng, 10) === 0,
        supports: { routes: ['/v1/completions', '/v1/chat/completions'], ...NOTHING },
        performance: { tokensPerS: 20 + randomInt(rng, 80), firstTokenMs: 200, samples: 9 },
      }),
    )
    foldSnapshot(view, hostSnapshot(hostId, snapshots), 0)
    markKeyed(view, hostId as HostId, 1)
    for (const { poolId } of snapshots) fill(view, poolId, randomInt(rng, 3) === 0 ? 4 : 1)
  }
  return view
}

/** Blocks of a long conversation, and of the system prompt that all conversations begin with. */
const CHAIN_BLOCKS = 64
const SYSTEM_BLOCKS = 8

/**
 * Lets each pool have read two conversations, so that its prefix index and its cells are what they
 * are in a fleet at work: all have the system prompt, one in eight more of the measured job's.
 */
export const warmUp = (view: FleetView): void => {
  const pools = [...view.pools.values()]
  for (const [at, pool] of pools.entries()) {
    const shared = at % 8 === 0 ? SYSTEM_BLOCKS + 1 + (at % (CHAIN_BLOCKS - SYSTEM_BLOCKS)) : 0
    for (const prefix of [talk(at + 1, SYSTEM_BLOCKS), talk(0, shared)]) {
      const job = { ...chatJob, prefix, promptTokens: prefix.length * 256 }
      const note = noteGrant(view, job, pool, 0)
      const measured = { tokensIn: 9, tokensOut: 90, firstTokenMs: 200 + at, decodeMs: 900 + at }
      noteRelease(view, note, { ...measured, isComplete: true }, 1)
    }
  }
}

/** A conversation's chain: the first `shared` blocks are the measured job's, the rest its own. */
const talk = (id: number, shared: number): Uint32Array =>
  Uint32Array.from({ length: 2 * CHAIN_BLOCKS }, (_, word) => {
    const isShared = id === 0 ? word < 2 * shared : word < 2 * SYSTEM_BLOCKS
    return Math.imul((isShared ? 0 : id * 1_000_003) + word + 1, 0x9e37_79b1)
  }).slice(0, id === 0 ? 2 * shared : undefined)

/** The same with a long conversation behind it. */
export const talkJob = (): PlacementJob => ({
  ...chatJob,
  prefix: talk(0, CHAIN_BLOCKS),
  promptTokens: CHAIN_BLOCKS * 512,
})

/** A chat job without demands, as nearly all are. */
export const chatJob: PlacementJob = {
  modelId: 'm' as ModelId,
  route: '/v1/chat/completions',
  requiredCtx: 2_000,
  promptTokens: 0,
  prefix: new Uint32Array(),
  kvHint: 'none',
  isStrict: false,
  samplerProfileVersion: '',
  engineVersion: '',
  modelDigest: '',
  expectedTokens: 256,
  queueAhead: 0,
  exclusions: [],
  exclusionsEndMs: 0,
  preferPools: [],
  avoidPools: [],
  requireDeviceMask: [],
  allowFallback: false,
  minVramBytes: 0,
  minComputeCap: 0,
  quantization: '',
  requiredExtensions: [],
  engine: '',
}

const NOTHING = { quantizations: [], extensions: [] }

const fill = (view: FleetView, poolId: PoolId, slots: number) => {
  for (let slot = 0; slot < slots; slot++) reserve(view, poolId)
}
