import { BAND, ROW, type PoolView } from '@berth/fleet'
import { isFeasible, type Question } from './judge.ts'
import { scoreMs } from './predict.ts'
import { breakTie } from './tie-break.ts'
import type { Workload } from './workload.ts'

/**
 * The feasible pool with the least score, by the tie-breaks among equals. Asks first what costs
 * least: a pool whose queue and streams alone take longer than the best is left after reading its
 * row, a pool that scores worse after its score, and only of the others it is asked whether they
 * can serve. Each leaves out no pool that could have won.
 */
export const leastOfScore = (
  question: Question,
  work: Workload,
  pools: readonly PoolView[],
): PoolView | undefined => {
  const { policy, job, now, model } = work
  const { speedRows } = work.view
  const { weights, admissionLatencyMs } = policy
  const { version } = speedRows
  const isBounded = policy.isPerformanceAware && speedRows.defaults === work.defaults
  const decodeAt = ROW.bands + work.band * BAND.size + BAND.decodeMs
  const tokens = weights.decode * job.expectedTokens
  const { values } = speedRows
  let best: PoolView | undefined
  let bestMs = Infinity
  for (let n = 0; n < pools.length; n++) {
    const pool = pools[n]!
    const row = pool.number * ROW.size
    if (isBounded && values[row + ROW.occupancy] === pool.reserved + 1) {
      const aheadMs = values[row + ROW.backlogEndMs]! - now
      const waitMs = aheadMs > 0 ? admissionLatencyMs + weights.queue * aheadMs : admissionLatencyMs
      const isMade = values[row + ROW.model] === model && values[row + ROW.version] === version
      if (isMade && waitMs + tokens * values[row + decodeAt]! > bestMs + 0.5) continue
    }
    const ms = scoreMs(work, pool, bestMs)
    if (ms > bestMs || !isFeasible(question, pool)) continue
    if (best && ms === bestMs && breakTie(pool, best, work) > 0) continue
    best = pool
    bestMs = ms
  }
  return best
}
