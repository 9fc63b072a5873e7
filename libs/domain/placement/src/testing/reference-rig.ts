import { createFleetView, foldSnapshot, markKeyed, type FleetView } from '@berth/fleet'
import type { Device, ModelResidency, PoolSnapshot } from '@berth/fleet'
import { hostSnapshot, poolSnapshot, type PoolDraft } from '@berth/fleet/testing'
import type { HostId } from '@berth/kernel'

export const GIB = 2 ** 30

/** The workstation of the root specification: an RTX 3090 (24 GiB) and an RTX 3060 (12 GiB). */
export const RIG_DEVICES: readonly Device[] = [
  {
    ...{ deviceId: '0', kind: 'nvidia' },
    ...{ memoryTotalBytes: 24 * GIB, memoryFreeBytes: 18 * GIB },
  },
  {
    ...{ deviceId: '1', kind: 'nvidia' },
    ...{ memoryTotalBytes: 12 * GIB, memoryFreeBytes: 9 * GIB },
  },
]

/** A pool of the rig, whose only model is `m`: what a spec cares about, of pool and model. */
export const rigPool = (
  poolId: string,
  draft: PoolDraft = {},
  model: Partial<ModelResidency> = {},
): PoolSnapshot => {
  const pool = poolSnapshot(poolId, {
    engine: 'llamacpp',
    engineVersion: 'b9000',
    deviceMask: ['0'],
    computeCapability: 8.6,
    supports: {
      routes: ['/v1/chat/completions'],
      quantizations: ['Q4_K_M', 'Q8_0'],
      extensions: ['tools'],
    },
    ...draft,
  })
  return { ...pool, models: pool.models.map((known) => ({ ...known, ...model })) }
}

/** Llama 3 8B, whose cache takes 131,072 bytes a token. */
export const LLAMA: Pick<ModelResidency, 'dimensions'> = {
  dimensions: {
    ...{ layers: 32, kvHeads: 8, keyDim: 128, valueDim: 128, kvDtypeBytes: 2 },
    ...{ windowLayers: 0, windowTokens: 0, latentDim: 0 },
  },
}

/** The rig as one fresh host that accepts leases, with these pools. */
export const rigView = (...pools: readonly PoolSnapshot[]): FleetView => {
  const view = createFleetView()
  foldSnapshot(view, hostSnapshot('rig', pools, { devices: RIG_DEVICES }), 0)
  markKeyed(view, 'rig' as HostId, 1)
  return view
}
