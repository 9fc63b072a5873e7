import { type FleetView, type PoolView } from '@berth/fleet'
import { ask, isFeasible, judge, type Question } from './judge.ts'
import { leastOfScore } from './least-score.ts'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import { addBusyPool, newStart, readStart } from './predict-start.ts'
import { predictEndMs, queueAheadMs } from './predict.ts'
import { strictWeight } from './strict.ts'
import { VERDICTS, type PlacementReason, type Verdict } from './verdict.ts'
import { waitForFaster } from './wait-for-faster.ts'
import { workloadOf, type Workload } from './workload.ts'

/** Where a job goes, or why it goes nowhere. */
export type Decision =
  | { readonly kind: 'assigned'; readonly pool: PoolView; readonly predictedEndMs: number }
  /** Not now. `predictedStartMs` counts from now and is never 0. */
  | {
      readonly kind: 'wait'
      readonly reason: PlacementReason
      readonly predictedStartMs: number
      /**
       * A slot is free, but waiting for a faster pool pays: for such a job with at most so many
       * ahead. Absent: there is none for it.
       */
      readonly declinesUpTo?: number
    }
  /** Never, as the fleet is: waiting changes nothing. */
  | { readonly kind: 'impossible'; readonly reason: PlacementReason }

/**
 * Decides where a job runs: the feasible pool with the least score, which is when it is over there.
 * Pure, looks only at pools that list the model, allocates nothing per pool, and gives the same
 * answer for any order of the pools. `now` is the clock of the view's ages.
 */
export const place = (
  view: FleetView,
  job: PlacementJob,
  policy: PlacementPolicy,
  now: number,
): Decision => {
  const sight = { question: ask(view, job, policy, now), work: workloadOf(view, job, policy, now) }
  if (job.pinPoolId !== undefined) return placePinned(sight, view.pools.get(job.pinPoolId))
  const pools = view.poolsOfModel.get(job.modelId)
  if (!pools) return { kind: 'impossible', reason: 'MODEL_NOT_FOUND' }
  if (job.preferPools.length > 0) {
    const preferred = pools.filter(({ poolId }) => job.preferPools.includes(poolId))
    const decision = decide(sight, preferred)
    if (decision.kind === 'assigned') return decision
    if (!job.allowFallback) {
      return decision.kind === 'wait'
        ? decision
        : { kind: 'impossible', reason: 'NO_PREFERRED_FEASIBLE' }
    }
  }
  return decide(sight, pools)
}

interface Sight {
  readonly question: Question
  readonly work: Workload
}

/** A pin is kept or refused; it never falls back. */
const placePinned = (sight: Sight, pool: PoolView | undefined): Decision => {
  const decision: Decision = pool?.residencies.has(sight.work.job.modelId)
    ? decide(sight, [pool])
    : { kind: 'impossible', reason: 'PINNED_POOL_INFEASIBLE' }
  return decision.kind === 'impossible'
    ? { kind: 'impossible', reason: 'PINNED_POOL_INFEASIBLE' }
    : decision
}

const decide = (sight: Sight, pools: readonly PoolView[]): Decision => {
  const { job } = sight.work
  const reuse = job.kvHint === 'reuse' ? placeWhereWarm(sight, pools) : undefined
  if (reuse) return reuse
  const isByHash = job.isStrict && job.seed !== undefined
  const best = isByHash
    ? highestOfHash(sight, pools)
    : leastOfScore(sight.question, sight.work, pools)
  if (!best) return sayWhyNot(sight, pools)
  // A preference and a seed say where a job goes, however slow that is.
  const isFree = !isByHash && job.preferPools.length === 0
  const declined = isFree ? waitForFaster(sight.question, sight.work, pools, best) : undefined
  if (!declined) {
    return { kind: 'assigned', pool: best, predictedEndMs: predictEndMs(sight.work, best) }
  }
  const { predictedStartMs, upToAhead: declinesUpTo } = declined
  return { kind: 'wait', reason: 'NO_CAPACITY', predictedStartMs, declinesUpTo }
}

/** The same seed goes to the same pool, as long as that pool is there and free. */
const highestOfHash = ({ question, work }: Sight, pools: readonly PoolView[]) => {
  let best: PoolView | undefined
  let highest = -1
  for (const pool of pools) {
    if (!isFeasible(question, pool)) continue
    const weight = strictWeight(work.job, work.job.seed!, pool.poolId)
    if (!best || weight > highest || (weight === highest && pool.poolId < best.poolId)) {
      best = pool
      highest = weight
    }
  }
  return best
}

/** The session's pool, when it has a slot, or will have soon and nothing else is wrong with it. */
const placeWhereWarm = ({ question, work }: Sight, pools: readonly PoolView[]) => {
  const { job, view, policy, now } = work
  const pool = job.warmPoolId === undefined ? undefined : view.pools.get(job.warmPoolId)
  if (!pool || !pools.includes(pool)) return undefined
  const verdict = judge(question, pool)
  const leftMs = policy.reuseWaitMs - (job.waitedMs ?? 0)
  if (verdict === VERDICTS.FEASIBLE && queueAheadMs(view, pool, now) <= policy.reuseWaitMs) {
    const predictedEndMs = predictEndMs(work, pool)
    return { kind: 'assigned', pool, predictedEndMs } as const
  }
  if (verdict !== VERDICTS.NO_CAPACITY) return undefined
  const start = newStart()
  addBusyPool(start, work, pool)
  const predictedStartMs = readStart(start, 1)
  if (predictedStartMs > leftMs) return undefined
  return { kind: 'wait', reason: verdict.reason, predictedStartMs } as const
}

/** The verdict of the pool that came nearest: that is the one a caller can act on. */
const sayWhyNot = ({ question, work }: Sight, pools: readonly PoolView[]): Decision => {
  let nearest: Verdict = VERDICTS.MODEL_NOT_FOUND
  const start = newStart()
  for (const pool of pools) {
    const verdict = judge(question, pool)
    if (verdict.rank > nearest.rank) nearest = verdict
    if (isMerelyBusy(verdict)) addBusyPool(start, work, pool)
  }
  if (nearest.when === 'never') return { kind: 'impossible', reason: nearest.reason }
  const predictedStartMs =
    start.leases === 0 ? work.policy.unreadyMs : readStart(start, work.job.queueAhead + 1)
  return { kind: 'wait', reason: nearest.reason, predictedStartMs }
}

/** What its leases leave behind when they end is all that is missing. */
const isMerelyBusy = (verdict: Verdict): boolean =>
  verdict === VERDICTS.NO_CAPACITY || verdict === VERDICTS.CACHE_IN_USE
