import { chainBlocks, type PoolView } from '@berth/fleet'
import { firstTokenMs, msPerToken, queueAheadMs } from './predict.ts'
import { cachedBlocks, uncachedIn, type Workload } from './workload.ts'

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
export const scoreOf = (work: Workload, pool: PoolView): Score => ({
  admissionMs: work.policy.admissionLatencyMs,
  queueAheadMs: queueAheadMs(work.view, pool, work.now),
  firstTokenMs: firstTokenMs(work, pool),
  uncachedFraction: uncachedIn(work, pool),
  decodeMs: work.job.expectedTokens * msPerToken(work, pool),
  cachedBlocks: cachedBlocks(work, pool),
  promptBlocks: chainBlocks(work.job.prefix),
})
