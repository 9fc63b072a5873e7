import { matchedBlocks, matchPrefix, type FleetView, type PoolView } from '@berth/fleet'
import { ask, isFeasible, judge, type Question } from './judge.ts'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import { predictEndMs, serviceMs } from './predict.ts'
import { breakTie } from './tie-break.ts'
import { modelSalt, uncachedFraction } from './warmth.ts'
import { VERDICTS, type PlacementReason, type Verdict } from './verdict.ts'

/** Where a job goes, or why it goes nowhere. */
export type Decision =
  | { readonly kind: 'assigned'; readonly pool: PoolView; readonly predictedEndMs: number }
  /** Not now. `predictedStartMs` counts from now and is never 0. */
  | {
      readonly kind: 'wait'
      readonly reason: PlacementReason
      readonly predictedStartMs: number
    }
  /** Never, as the fleet is: waiting changes nothing. */
  | { readonly kind: 'impossible'; readonly reason: PlacementReason }

/**
 * Decides where a job runs: the feasible pool where it is over first. Pure, looks only at pools
 * that list the model, allocates nothing per pool, and gives the same answer for any order of
 * the pools. `now` is the clock of the view's ages.
 */
export const place = (
  view: FleetView,
  job: PlacementJob,
  policy: PlacementPolicy,
  now: number,
): Decision => {
  const question = ask(view, job, policy, now)
  if (job.pinPoolId !== undefined) return placePinned(question, view.pools.get(job.pinPoolId))
  const pools = view.poolsOfModel.get(job.modelId)
  if (!pools) return { kind: 'impossible', reason: 'MODEL_NOT_FOUND' }
  if (job.preferPools.length > 0) {
    const preferred = pools.filter(({ poolId }) => job.preferPools.includes(poolId))
    const decision = decide(question, preferred)
    if (decision.kind === 'assigned') return decision
    if (!job.allowFallback) {
      return decision.kind === 'wait'
        ? decision
        : { kind: 'impossible', reason: 'NO_PREFERRED_FEASIBLE' }
    }
  }
  return decide(question, pools)
}

/** A pin is kept or refused; it never falls back. */
const placePinned = (question: Question, pool: PoolView | undefined): Decision => {
  const decision: Decision = pool?.residencies.has(question.job.modelId)
    ? decide(question, [pool])
    : { kind: 'impossible', reason: 'PINNED_POOL_INFEASIBLE' }
  return decision.kind === 'impossible'
    ? { kind: 'impossible', reason: 'PINNED_POOL_INFEASIBLE' }
    : decision
}

const decide = (question: Question, pools: readonly PoolView[]): Decision => {
  const { view, job, policy } = question
  const hasMatch =
    job.prefix.length > 0 && matchPrefix(view.prefixes, job.prefix, modelSalt(job.modelId))
  let best: PoolView | undefined
  let bestEndMs = Infinity
  for (const pool of pools) {
    if (!isFeasible(question, pool)) continue
    const held = hasMatch ? matchedBlocks(view.prefixes, pool.number) : 0
    const endMs = predictEndMs(job, pool, policy, uncachedFraction(job, pool, held))
    if (!best || endMs < bestEndMs || (endMs === bestEndMs && isBetter(question, pool, best))) {
      best = pool
      bestEndMs = endMs
    }
  }
  return best
    ? { kind: 'assigned', pool: best, predictedEndMs: bestEndMs }
    : sayWhyNot(question, pools)
}

/** The verdict of the pool that came nearest: that is the one a caller can act on. */
const sayWhyNot = (question: Question, pools: readonly PoolView[]): Decision => {
  const { job, policy } = question
  let nearest: Verdict = VERDICTS.MODEL_NOT_FOUND
  // Slots that come free per millisecond over all pools that are merely busy.
  let releasesPerMs = 0
  for (const pool of pools) {
    const verdict = judge(question, pool)
    if (verdict.rank > nearest.rank) nearest = verdict
    if (verdict === VERDICTS.NO_CAPACITY) {
      releasesPerMs += pool.slotsTotal / serviceMs(job, pool, policy)
    }
  }
  if (nearest.when === 'never') return { kind: 'impossible', reason: nearest.reason }
  const predictedStartMs = predictStartMs(job.queueAhead, releasesPerMs, policy)
  return { kind: 'wait', reason: nearest.reason, predictedStartMs }
}

const isBetter = ({ job, policy }: Question, pool: PoolView, best: PoolView): boolean =>
  breakTie(pool, best, job, policy) < 0

const predictStartMs = (
  queueAhead: number,
  releasesPerMs: number,
  policy: PlacementPolicy,
): number => {
  if (releasesPerMs === 0) return policy.unreadyMs
  return Math.max(1, Math.round((queueAhead + 1) / releasesPerMs))
}
