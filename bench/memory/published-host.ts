import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import {
  DeviceKind,
  HostSnapshotSchema,
  PoolState,
  Residency,
  ServiceState,
  type HostSnapshot,
  type Pool,
  type PoolSchema,
} from '@berth/contract'

/** Pools of each host: one for each GPU of a usual server. */
export const POOLS_PER_HOST = 8

/** A host as it comes off the bus, every field filled as an agent fills it. */
export const publishedHost = (host: number, pools: number): HostSnapshot => {
  const snapshot = create(HostSnapshotSchema, {
    hostId: `gpu-${host}`,
    ...{ epoch: 1_750_000_000_000n, revision: 1n, takenAtMs: 1_750_000_000_000n },
    agentVersion: '0.1.0',
    ...{ grpcAddress: `10.0.0.${host % 250}:7080`, ingressAddress: `10.0.0.${host % 250}:7081` },
    devices: Array.from({ length: pools }, (_, n) => ({
      deviceId: String(n),
      uuid: `GPU-00000000-0000-4000-8000-${String(host * 8 + n).padStart(12, '0')}`,
      name: 'NVIDIA H100 80GB HBM3',
      ...{ kind: DeviceKind.NVIDIA, computeCapability: '9.0', driverVersion: '560.35.03' },
      ...{ memoryTotalBytes: 85_520_809_984n, memoryFreeBytes: 8_520_809_984n },
    })),
    pools: Array.from({ length: pools }, (_, n) => publishedPool(`pool-${host}-${n}`, String(n))),
    leaseKeyIds: ['t1'],
  })
  return fromBinary(HostSnapshotSchema, toBinary(HostSnapshotSchema, snapshot))
}

type PoolDraft = Exclude<MessageInitShape<typeof PoolSchema>, Pool>

const publishedPool = (poolId: string, deviceId: string): PoolDraft => ({
  poolId,
  ...{ engine: 'vllm', engineVersion: '0.11.0', instanceId: `${poolId}-1750000000000-1` },
  ...{ state: PoolState.READY, serviceState: ServiceState.RUNNING, live: true, ready: true },
  ...{ stateReason: 'ready', stateSinceMs: 1_750_000_000_000n, upSinceMs: 1_750_000_000_000n },
  ...{ pid: 4_711, deviceMask: [deviceId], slotsTotal: 64, slotsFree: 64 },
  ...{ contextLength: 32_768, computeCapability: '9.0', samplerProfileVersion: 'v1' },
  ...{ vramTotalBytes: 85_520_809_984n, vramFreeBytes: 8_520_809_984n },
  lastCheck: { atMs: 1_750_000_000_000n, ok: true, tookMs: 3 },
  models: [
    {
      modelId: 'llama-3.3-70b-instruct',
      modelRef: 'hf:meta-llama/Llama-3.3-70B-Instruct',
      residency: Residency.RESIDENT,
      digest: `sha256:${'0123456789abcdef'.repeat(4)}`,
      dimensions: { layers: 80, kvHeads: 8, keyDim: 128, valueDim: 128, kvDtypeBytes: 2 },
      quantization: 'fp8',
    },
  ],
  supports: {
    routes: ['/v1/chat/completions', '/v1/completions', '/v1/embeddings'],
    quantizations: ['fp8', 'awq', 'gptq'],
    ...{ minComputeCap: 7, modelLifecycle: true, resourceMonitoring: true, extensions: ['tools'] },
  },
  performance: {
    ...{ tokensPerS: 41.5, firstTokenMs: 312, samples: 900, prefillTokensPerS: 9_000 },
    cells: Array.from({ length: 8 }, (_, n) => ({
      ...{ modelId: 'llama-3.3-70b-instruct', promptBand: n, occupancyBand: n % 3 },
      ...{ tokensPerS: 40 + n, firstTokenMs: 200 * n, samples: 90 },
    })),
  },
})
