import {
  createFleetView,
  foldSnapshot,
  markKeyed,
  reserve,
  type FleetView,
  type PoolSnapshot,
} from '@berth/fleet'
import { hostSnapshot } from '@berth/fleet/testing'
import type { HostId, PoolId } from '@berth/kernel'
import { noteGrant, type GrantNote } from '../evidence.ts'
import { place } from '../place.ts'
import type { PlacementJob } from '../placement-job.ts'
import { DEFAULT_PLACEMENT_POLICY, type PlacementPolicy } from '../placement-policy.ts'

/** The default policy where no host grows old, so that a spec may choose its times. */
export const AGELESS: PlacementPolicy = {
  ...DEFAULT_PLACEMENT_POLICY,
  freshness: { staleMs: Infinity, offlineMs: Infinity },
}

/** One host with these pools. */
export const fleetOf = (...pools: readonly PoolSnapshot[]): FleetView => {
  const view = createFleetView()
  foldSnapshot(view, hostSnapshot('h1', pools), 0)
  markKeyed(view, 'h1' as HostId, 1)
  return view
}

/** Takes a slot of a pool and notes the grant, as core does. */
export const grantOn = (
  view: FleetView,
  poolId: string,
  job: PlacementJob,
  nowMs = 0,
): GrantNote => {
  const pool = view.pools.get(poolId as PoolId)!
  reserve(view, pool.poolId)
  return noteGrant(view, job, pool, nowMs)
}

/** Where a job goes, or why not. */
export const chosenIn = (
  view: FleetView,
  job: PlacementJob,
  policy: PlacementPolicy = AGELESS,
  now = 1,
): string => {
  const decision = place(view, job, policy, now)
  return decision.kind === 'assigned' ? decision.pool.poolId : decision.reason
}

/** The chain of a prompt of so many blocks; another root is another text. */
export const chainOf = (blocks: number, root = 7): Uint32Array =>
  Uint32Array.from({ length: 2 * blocks }, (_, word) => Math.imul(root + (word >> 1), 0x9e37_79b1))
