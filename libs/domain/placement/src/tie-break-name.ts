import { slotsFree, type PoolView } from '@berth/fleet'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import { speedOf } from './predict.ts'

/** The tie-breaks in their order. */
export type TieBreak =
  'warmth' | 'active_leases' | 'slots_free' | 'vram_headroom' | 'perf_tokens_per_s' | 'pool_id'

/** Which rung of `breakTie` tells two pools with equal scores apart. */
export const decidingTieBreak = (
  a: PoolView,
  b: PoolView,
  job: PlacementJob,
  policy: PlacementPolicy,
): TieBreak => {
  if ((a.poolId === job.warmPoolId) !== (b.poolId === job.warmPoolId)) return 'warmth'
  if (a.reserved !== b.reserved) return 'active_leases'
  if (slotsFree(a) !== slotsFree(b)) return 'slots_free'
  if (a.snapshot.vramFreeBytes !== b.snapshot.vramFreeBytes) return 'vram_headroom'
  if (speedOf(a, policy).tokensPerS !== speedOf(b, policy).tokensPerS) return 'perf_tokens_per_s'
  return 'pool_id'
}
