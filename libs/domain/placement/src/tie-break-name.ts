import { slotsFree, type PoolView } from '@berth/fleet'
import { byMemory, bySpeed, byWarmth } from './tie-break.ts'
import type { Workload } from './workload.ts'

/** The tie-breaks in their order. */
export type TieBreak =
  'warmth' | 'active_leases' | 'slots_free' | 'vram_headroom' | 'perf_tokens_per_s' | 'pool_id'

/** Which rung of `breakTie` tells two pools with equal scores apart. */
export const decidingTieBreak = (a: PoolView, b: PoolView, work: Workload): TieBreak => {
  if (byWarmth(a, b, work) !== 0) return 'warmth'
  if (a.reserved !== b.reserved) return 'active_leases'
  if (slotsFree(a) !== slotsFree(b)) return 'slots_free'
  if (byMemory(a, b, work) !== 0) return 'vram_headroom'
  if (bySpeed(a, b, work) !== 0) return 'perf_tokens_per_s'
  return 'pool_id'
}
