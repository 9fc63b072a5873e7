import { slotsFree, type FleetView, type PoolView } from '@berth/fleet'
import type { PoolId } from '@berth/kernel'
import { ask, judge, type Question } from './judge.ts'
import { place, type Decision } from './place.ts'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import { isDefaultSpeed, predictEndMs } from './predict.ts'
import { breakTie } from './tie-break.ts'
import { VERDICTS, type PlacementReason } from './verdict.ts'

/** One pool as the decision saw it. */
export interface Candidate {
  readonly poolId: PoolId
  /** `FEASIBLE`, or the first reason why not. */
  readonly reason: PlacementReason
  readonly predictedEndMs: number
  readonly activeLeases: number
  readonly slotsFree: number
  /** The pool has no measurements yet; its device kind's default was used. */
  readonly isDefaultHint: boolean
  /** 1 is the best; 0 for pools that are not feasible. */
  readonly rank: number
}

/** A decision and everything that was looked at, best first, then by pool id. */
export interface Explanation {
  readonly decision: Decision
  readonly candidates: readonly Candidate[]
}

/** Says where a job would go and why. For people: it allocates per pool, unlike `place`. */
export const explain = (
  view: FleetView,
  job: PlacementJob,
  policy: PlacementPolicy,
  now: number,
): Explanation => {
  const question = ask(view, job, policy, now)
  const chosen = place(view, job, policy, now)
  const judged = [...view.pools.values()].map((pool) => ({
    pool,
    reason: reasonFor(question, pool),
    endMs: predictEndMs(job, pool, policy),
  }))
  judged.sort(
    (a, b) =>
      Number(isFeasible(b)) - Number(isFeasible(a)) ||
      Number(isChosen(chosen, b.pool)) - Number(isChosen(chosen, a.pool)) ||
      (isFeasible(a)
        ? a.endMs - b.endMs || breakTie(a.pool, b.pool, job, policy)
        : byId(a.pool, b.pool)),
  )
  const candidates = judged.map(({ pool, reason, endMs }, index): Candidate => ({
    poolId: pool.poolId,
    reason,
    predictedEndMs: endMs,
    activeLeases: pool.reserved,
    slotsFree: slotsFree(pool),
    isDefaultHint: isDefaultSpeed(pool),
    rank: reason === 'FEASIBLE' ? index + 1 : 0,
  }))
  return { decision: chosen, candidates }
}

/** A pool outside the pin is not a candidate, however able it is. */
const reasonFor = (question: Question, pool: PoolView): PlacementReason => {
  const { job } = question
  const isPinned = job.pinPoolId !== undefined
  if (isPinned && job.pinPoolId !== pool.poolId) return 'PINNED_POOL_INFEASIBLE'
  const verdict = judge(question, pool)
  // A pin decides alone.
  const isOutside =
    !isPinned &&
    job.preferPools.length > 0 &&
    !job.allowFallback &&
    !job.preferPools.includes(pool.poolId)
  return isOutside && verdict === VERDICTS.FEASIBLE ? 'NO_PREFERRED_FEASIBLE' : verdict.reason
}

// With a fallback the preferred pools come first, whatever the scores: the choice leads the list.
const isChosen = (decision: Decision, pool: PoolView): boolean =>
  decision.kind === 'assigned' && decision.pool === pool

const isFeasible = ({ reason }: { readonly reason: PlacementReason }): boolean =>
  reason === 'FEASIBLE'

const byId = (a: PoolView, b: PoolView): number => (a.poolId < b.poolId ? -1 : 1)
