import { slotsFree, type PoolView } from '@berth/fleet'
import type { PlacementJob } from './placement-job.ts'
import { speedOf } from './predict.ts'
import type { PlacementPolicy } from './placement-policy.ts'

/**
 * Orders two pools with equal scores: negative when `a` is better. Warmth, then fewest leases,
 * most slots free, most memory free, highest tokens a second, and the pool id, which ends it:
 * never chance, never the order of the pools.
 */
export const breakTie = (
  a: PoolView,
  b: PoolView,
  job: PlacementJob,
  policy: PlacementPolicy,
): number =>
  warmth(b, job) - warmth(a, job) ||
  a.reserved - b.reserved ||
  slotsFree(b) - slotsFree(a) ||
  (b.snapshot.vramFreeBytes ?? 0) - (a.snapshot.vramFreeBytes ?? 0) ||
  speedOf(b, policy).tokensPerS - speedOf(a, policy).tokensPerS ||
  (a.poolId < b.poolId ? -1 : 1)

const warmth = (pool: PoolView, job: PlacementJob): number =>
  pool.poolId === job.warmPoolId ? 1 : 0
