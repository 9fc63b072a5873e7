import type { PoolView } from '@berth/fleet'
import {
  mintSeed,
  noteRelease,
  noteVoid,
  type GrantNote,
  type PlacementJob,
} from '@berth/placement'
import type { Core } from './core-state.ts'
import { servedTokens } from './job-end.ts'
import type { LeaseResult } from './job-spec.ts'
import type { Lease } from './lease-table.ts'

/**
 * What a strict job runs with: its own seed, or one that leads to this pool again. Nothing for
 * other jobs. Ask before the slot is taken.
 */
export const seedOf = (core: Core, job: PlacementJob, { poolId }: PoolView): { seed?: bigint } => {
  if (!job.isStrict) return {}
  const moment = { policy: core.policy.placement, poolId, now: core.clock.now() }
  return { seed: job.seed ?? mintSeed(core.view, job, moment, core.rng) }
}

/** Whether a job found its pool warm when it was granted. */
export const isWarm = (
  { kvHint, warmPoolId }: PlacementJob,
  { heldBlocks, poolId }: GrantNote,
): boolean => kvHint !== 'cold' && (heldBlocks > 0 || warmPoolId === poolId)

/**
 * Learns from how a lease ended. A request that never met its engine says nothing of the pool; nor
 * does one that the engine refused, which is answered before anything of it was read.
 */
export const noteResult = (core: Core, { note }: Lease, result: LeaseResult): void => {
  if (!note) return
  const now = core.clock.now()
  if (servedTokens(result) === 0) return noteVoid(core.view, note, now)
  const isComplete = result.outcome === 'completed'
  noteRelease(core.view, note, { ...result, isComplete }, now)
}

/** A lease ended and nobody says how. */
export const noteNoResult = (core: Core, { note }: Lease): void => {
  if (note) noteVoid(core.view, note, core.clock.now())
}
