import type { Pool as PoolMessage } from '@berth/contract'
import type { LabelsOf, Metrics } from '@berth/runtime'
import type { FoundDevice } from '@berth/devices'
import type { Pool } from './pool/pool.ts'

/** What the gauges are read from. */
export interface Watched {
  readonly pools: ReadonlyMap<string, Pool>
  devices(): readonly FoundDevice[]
  /** A pool as the snapshot shows it. */
  describe(pool: Pool): PoolMessage
}

type PoolGauge =
  | 'berth_pool_ready'
  | 'berth_pool_slots_total'
  | 'berth_pool_slots_free'
  | 'berth_pool_active_leases'
  | 'berth_ingress_inflight'
  | 'berth_pool_backoff_seconds'
  | 'berth_breaker_state'
  | 'berth_pool_vram_total_bytes'
  | 'berth_pool_vram_free_bytes'

/** Gauges that are read from the pools when somebody scrapes. What is not known is absent. */
export const watchPools = (metrics: Metrics, { pools, devices, describe }: Watched): void => {
  const perPool = (name: PoolGauge, read: (pool: Pool) => number | undefined) =>
    metrics.read(name, (show) => {
      for (const pool of pools.values()) {
        const value = read(pool)
        if (value !== undefined) show({ pool_id: pool.spec.poolId }, value)
      }
    })
  const gpusOf = ({ spec }: Pool) =>
    devices().filter(({ deviceId, kind }) => kind !== 'cpu' && spec.devices.includes(deviceId))
  const state = ({ supervised }: Pool) => supervised.state

  perPool('berth_pool_ready', (pool) => (describe(pool).ready ? 1 : 0))
  perPool('berth_pool_slots_total', ({ slots }) => slots.total)
  perPool('berth_pool_slots_free', ({ slots }) => slots.free)
  perPool('berth_pool_active_leases', ({ slots }) => slots.active)
  perPool('berth_ingress_inflight', ({ slots }) => slots.active)
  perPool('berth_pool_backoff_seconds', (pool) => {
    const now = state(pool)
    return now.kind === 'backoff' ? now.delayMs / 1_000 : 0
  })
  perPool('berth_breaker_state', (pool) => {
    const now = state(pool)
    return now.kind === 'failed' && now.reason === 'breaker' ? 1 : 0
  })
  perPool('berth_pool_vram_total_bytes', (pool) => bytesOf(describe(pool).vramTotalBytes))
  perPool('berth_pool_vram_free_bytes', (pool) => bytesOf(describe(pool).vramFreeBytes))

  metrics.read('kv_cache_usage_ratio', (show) => {
    for (const pool of pools.values()) {
      const { kvUsageRatio } = pool
      if (kvUsageRatio !== undefined) show(placed(describe(pool)), kvUsageRatio)
    }
  })
  const perGpu = (
    name: 'gpu_utilization' | 'vram_used_bytes',
    read: (gpu: FoundDevice) => number | undefined,
  ) =>
    metrics.read(name, (show) => {
      for (const pool of pools.values()) {
        for (const gpu of gpusOf(pool)) {
          const value = read(gpu)
          if (value === undefined) continue
          show({ ...placed(describe(pool)), device: gpu.deviceId }, value)
        }
      }
    })
  perGpu('gpu_utilization', ({ utilizationPercent }) => utilizationPercent)
  perGpu('vram_used_bytes', ({ memoryTotalBytes: total, memoryFreeBytes: free }) =>
    total === undefined || free === undefined ? undefined : total - free,
  )
}

const bytesOf = (bytes: bigint | undefined) => (bytes === undefined ? undefined : Number(bytes))

const placed = ({
  poolId,
  engine,
  engineVersion,
}: PoolMessage): LabelsOf<'kv_cache_usage_ratio'> => ({
  engine,
  engine_version: engineVersion || 'unknown',
  pool_id: poolId,
  replica_id: poolId,
})
