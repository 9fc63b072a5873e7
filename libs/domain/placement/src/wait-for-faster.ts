import type { PoolView } from '@berth/fleet'
import { judge, type Question } from './judge.ts'
import { hasEvidence } from './prediction-errors.ts'
import { addBusyPool, newStart, readEvenStart } from './predict-start.ts'
import { scoreMs } from './predict.ts'
import { VERDICTS } from './verdict.ts'
import type { Workload } from './workload.ts'

/** A free slot is declined: pools without one are so much faster that waiting for them pays. */
export interface Declined {
  readonly predictedStartMs: number
  /** It still pays with so many jobs ahead. */
  readonly upToAhead: number
}

/** A busy pool's score must be 15 % less than that of the free one: what is closer may be luck. */
const BETTER_SHARE = 0.85

/**
 * Whether a job is over first when it waits for the next slot of busy pools rather than take the
 * best free one. Their slots come as fast as they serve, and jobs ahead get them first, so that
 * only so many jobs wait: those behind them are over first in the free slot. Only on what was
 * measured of each of the pools, and never longer than the job may.
 */
export const waitForFaster = (
  question: Question,
  work: Workload,
  pools: readonly PoolView[],
  free: PoolView,
): Declined | undefined => {
  const { job, policy } = work
  const { declineMs = 0, queueAhead } = job
  if (declineMs <= 0 || !policy.isPerformanceAware || !hasEvidence(free)) return undefined
  const freeMs = scoreMs(work, free)
  const atMost = freeMs * BETTER_SHARE
  const start = newStart()
  let faster = 0
  let sumMs = 0
  for (const pool of pools) {
    if (pool.reserved < pool.slotsTotal || !hasEvidence(pool)) continue
    const ms = scoreMs(work, pool, atMost)
    if (ms > atMost || judge(question, pool) !== VERDICTS.NO_CAPACITY) continue
    addBusyPool(start, work, pool)
    faster += 1
    sumMs += ms
  }
  if (faster === 0) return undefined
  const gainMs = freeMs - sumMs / faster
  const slotMs = readEvenStart(start, 1)
  const upToAhead = Math.floor(Math.min(gainMs, declineMs) / slotMs) - 1
  if (queueAhead > upToAhead) return undefined
  const predictedStartMs = Math.max(1, Math.round(readEvenStart(start, queueAhead + 1)))
  return { predictedStartMs, upToAhead }
}
