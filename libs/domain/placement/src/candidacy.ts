import type { PoolView } from '@berth/fleet'
import { judge, type Question } from './judge.ts'
import { VERDICTS, type Verdict } from './verdict.ts'

/**
 * The verdict on a pool with the job's overrides counted: a pool outside the pin or the preference
 * is no candidate, however able it is.
 */
export const judgeCandidate = (question: Question, pool: PoolView): Verdict => {
  const { job } = question
  // A pin decides alone.
  if (job.pinPoolId !== undefined) {
    return job.pinPoolId === pool.poolId ? judge(question, pool) : VERDICTS.PINNED_POOL_INFEASIBLE
  }
  const verdict = judge(question, pool)
  const isOutside =
    job.preferPools.length > 0 && !job.allowFallback && !job.preferPools.includes(pool.poolId)
  return isOutside && verdict.when === 'now' ? VERDICTS.NO_PREFERRED_FEASIBLE : verdict
}
