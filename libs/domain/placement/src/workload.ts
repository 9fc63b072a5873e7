import {
  matchedBlocks,
  matchPrefix,
  type DefaultSpeeds,
  type FleetView,
  type PoolView,
} from '@berth/fleet'
import { promptBand } from './performance-cells.ts'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import { blockTokensOf, modelKey, uncachedFraction } from './warmth.ts'

/** What a job asks of every pool it is compared on; the same for one decision. */
export interface Workload {
  readonly view: FleetView
  readonly job: PlacementJob
  readonly policy: PlacementPolicy
  readonly now: number
  /** What a pool without measurements is taken for. */
  readonly defaults: DefaultSpeeds
  /** See `modelKey`. */
  readonly model: number
  /** Of its prompt. */
  readonly band: number
  /** The share of its prompt that one block of its chain is. */
  readonly blockShare: number
  /** Some pool holds a beginning of the prompt, as the index's last match tells. */
  readonly hasMatch: boolean
}

/**
 * Takes a job's work out of it once, so that comparing pools reads numbers. What pools have cached
 * is good until the next one: one decision at a time.
 */
export const workloadOf = (
  view: FleetView,
  job: PlacementJob,
  policy: PlacementPolicy,
  now: number,
): Workload => {
  const model = modelKey(job.modelId)
  const isMatched = policy.hasPrefixAffinity && job.kvHint !== 'cold' && job.prefix.length > 0
  return {
    view,
    job,
    policy,
    now,
    model,
    defaults: policy.defaultSpeeds,
    band: promptBand(job.promptTokens),
    blockShare: job.promptTokens > 0 ? blockTokensOf(job) / job.promptTokens : 0,
    hasMatch: isMatched && matchPrefix(view.prefixes, job.prefix, model),
  }
}

/** Blocks of the job's prompt that a pool holds. */
export const cachedBlocks = ({ view, hasMatch }: Workload, pool: PoolView): number =>
  hasMatch ? matchedBlocks(view.prefixes, pool.number) : 0

/** The share of the job's prompt that a pool must read anew: `uncachedFraction`, made quick. */
export const uncachedIn = (work: Workload, pool: PoolView): number => {
  if (work.hasMatch) return Math.max(0, 1 - cachedBlocks(work, pool) * work.blockShare)
  return work.policy.hasPrefixAffinity ? uncachedFraction(work.job, pool, 0) : 1
}
