import { chainBlocks, heldBlocks, type FleetView, type PoolView } from '@berth/fleet'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import { speedOf } from './predict.ts'
import { modelSalt, uncachedFraction } from './warmth.ts'

/** The terms a predicted end is made of; milliseconds, but for the fraction and the counts. */
export interface Score {
  readonly admissionMs: number
  readonly queueAheadMs: number
  /** For the whole prompt, before warmth. */
  readonly firstTokenMs: number
  /** Of the prompt, between 0 and 1. */
  readonly uncachedFraction: number
  readonly decodeMs: number
  /** Blocks of the prompt's beginning that the pool served of late, and all of them. */
  readonly cachedBlocks: number
  readonly promptBlocks: number
}

/** The terms by which `place` scores a job in a pool. Allocates: for people. */
export const scoreOf = (
  view: FleetView,
  job: PlacementJob,
  pool: PoolView,
  policy: PlacementPolicy,
): Score => {
  const { tokensPerS, firstTokenMs } = speedOf(pool, policy)
  const cachedBlocks = heldBlocks(view.prefixes, pool.number, job.prefix, modelSalt(job.modelId))
  return {
    admissionMs: policy.admissionLatencyMs,
    queueAheadMs: 0,
    firstTokenMs,
    uncachedFraction: uncachedFraction(job, pool, cachedBlocks),
    decodeMs: (job.expectedTokens / Math.max(tokensPerS, 0.001)) * 1_000,
    cachedBlocks,
    promptBlocks: chainBlocks(job.prefix),
  }
}

/** The predicted end: `admission + queue_ahead + first_token * uncached + decode`, whole ms. */
export const endOf = (score: Score, policy: PlacementPolicy): number =>
  policy.isPerformanceAware
    ? Math.round(
        score.admissionMs +
          (score.queueAheadMs + (score.firstTokenMs * score.uncachedFraction + score.decodeMs)),
      )
    : 0
