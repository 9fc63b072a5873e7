import type { FleetView } from '@berth/fleet'
import type { ModelId, PoolId } from '@berth/kernel'
import type { LabelsOf } from '@berth/runtime'

/** Where a job runs, in labels and log fields. A pool is one replica. */
export type Placed = LabelsOf<'tokens_in_total'>

const NOWHERE = 'unassigned'

/** While no pool is chosen. */
export const UNASSIGNED: Placed = {
  engine: NOWHERE,
  engine_version: NOWHERE,
  pool_id: NOWHERE,
  replica_id: NOWHERE,
}

/** The labels of a pool; its engine reads `unknown` when the pool is not in the view any more. */
export const placedOn = (view: FleetView, poolId: PoolId): Placed => {
  const pool = view.pools.get(poolId)?.snapshot
  return {
    engine: pool?.engine || 'unknown',
    engine_version: pool?.engineVersion || 'unknown',
    pool_id: poolId,
    replica_id: poolId,
  }
}

/**
 * The engine of a job that got no pool: the one that all pools of its model share, else
 * `unassigned`.
 */
export const engineOfModel = (view: FleetView, modelId: ModelId): string => {
  const pools = view.poolsOfModel.get(modelId) ?? []
  const engine = pools[0]?.snapshot.engine
  const isShared = pools.every(({ snapshot }) => snapshot.engine === engine)
  return engine && isShared ? engine : NOWHERE
}
