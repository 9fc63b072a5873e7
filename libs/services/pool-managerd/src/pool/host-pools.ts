import type { PoolSpec } from '../pools-file/pool-spec.ts'
import type { Pool } from './pool.ts'

/** The pools a host has now, in the order in which they came. */
export interface HostPools {
  readonly pools: ReadonlyMap<string, Pool>
  /** From now on the host has this pool, in the place of one of its id. It has started nothing. */
  put(spec: PoolSpec): Pool
  /** From now on the host has no such pool. Whatever it ran has been ended. */
  drop(poolId: string): void
}

export const createHostPools = (
  make: (spec: PoolSpec) => Pool,
  onDropped: () => void,
): HostPools => {
  const pools = new Map<string, Pool>()
  return {
    pools,
    put: (spec) => {
      const pool = make(spec)
      pools.get(spec.poolId)?.[Symbol.dispose]()
      pools.set(spec.poolId, pool)
      return pool
    },
    drop: (poolId) => {
      pools.get(poolId)?.[Symbol.dispose]()
      pools.delete(poolId)
      onDropped()
    },
  }
}
