import { createFleetView, foldSnapshot, markKeyed, reserve, type FleetView } from '@berth/fleet'
import { hostSnapshot, poolSnapshot } from '@berth/fleet/testing'
import { randomInt, seededRng, type HostId, type ModelId, type PoolId } from '@berth/kernel'
import type { PlacementJob } from '@berth/placement'

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
