import type { HostId, ModelId, PoolId } from '@berth/kernel'
import type { HostSnapshot } from '../host-snapshot.ts'
import type { PoolSnapshot } from '../pool-snapshot.ts'

/** A pool snapshot by what a spec cares about; ids are plain strings, models default to one. */
export type PoolDraft = Partial<Omit<PoolSnapshot, 'poolId' | 'models' | 'instanceId'>> & {
  readonly models?: readonly string[]
  readonly instanceId?: string
}

/** A ready CPU pool with one slot and the resident model `m`. */
export const poolSnapshot = (poolId: string, draft: PoolDraft = {}): PoolSnapshot => {
  const { models = ['m'], ...rest } = draft
  const snapshot = {
    engine: 'sim',
    engineVersion: '1',
    state: 'ready',
    stateReason: '',
    isLive: true,
    isReady: true,
    isDraining: false,
    isDegraded: false,
    instanceId: `${poolId}-1`,
    deviceMask: ['cpu'],
    slotsTotal: 1,
    leaseIds: [],
    supports: { routes: ['/v1/chat/completions'], quantizations: [], extensions: [] },
    contextLength: 4096,
    deviceSplit: [],
    isStrict: false,
    samplerProfileVersion: '',
    ...rest,
    poolId: poolId as PoolId,
    models: models.map((modelId) => ({
      modelId: modelId as ModelId,
      residency: 'resident',
      activeRequests: 0,
      digest: '',
      quantization: '',
    })),
  }
  return snapshot as unknown as PoolSnapshot
}

/** A host with one CPU at epoch 1, revision 1, unless the draft says otherwise. */
export const hostSnapshot = (
  hostId: string,
  pools: readonly PoolSnapshot[],
  draft: Partial<Omit<HostSnapshot, 'hostId' | 'pools'>> = {},
): HostSnapshot => ({
  epoch: 1,
  revision: 1,
  grpcAddress: `${hostId}:7080`,
  ingressAddress: `${hostId}:7081`,
  devices: [{ deviceId: 'cpu', kind: 'cpu' }],
  term: 0,
  isDraining: false,
  ...draft,
  hostId: hostId as HostId,
  pools,
})
