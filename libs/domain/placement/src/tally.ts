import type { FleetView, PoolView } from '@berth/fleet'
import { judgeCandidate } from './candidacy.ts'
import { ask } from './judge.ts'
import type { Decision } from './place.ts'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import { scoreMs } from './predict.ts'
import { breakTie } from './tie-break.ts'
import { decidingTieBreak, type TieBreak } from './tie-break-name.ts'
import type { PlacementReason } from './verdict.ts'
import { workloadOf, type Workload } from './workload.ts'

/** How many pools a reason left out. */
export interface FilterCount {
  readonly reason: PlacementReason
  readonly pools: number
}

/** What a decision looked at, in numbers. */
export interface Tally {
  /** Pools that list the model. */
  readonly candidates: number
  readonly feasible: number
  /** The most pools first. */
  readonly filters: readonly FilterCount[]
  /** What told the chosen pool from the next; absent when their scores did. */
  readonly tieBreak: TieBreak | undefined
}

/** What `place` was asked. */
export interface Asked {
  readonly view: FleetView
  readonly job: PlacementJob
  readonly policy: PlacementPolicy
  readonly now: number
}

/**
 * Counts what the decision on a job looked at, for a log: as long as the view has not changed
 * since. Costs about what the decision did, and allocates no more than it answers.
 */
export const tally = ({ view, job, policy, now }: Asked, decision: Decision): Tally => {
  const question = ask(view, job, policy, now)
  const pools = view.poolsOfModel.get(job.modelId) ?? []
  const counts = new Map<PlacementReason, number>()
  const work = workloadOf(view, job, policy, now)
  const chosen = decision.kind === 'assigned' ? decision.pool : undefined
  let second: PoolView | undefined
  let feasible = 0
  for (const pool of pools) {
    const { reason, when } = judgeCandidate(question, pool)
    if (when !== 'now') {
      counts.set(reason, (counts.get(reason) ?? 0) + 1)
      continue
    }
    feasible += 1
    if (chosen && pool !== chosen && isBetter(work, pool, second)) second = pool
  }
  return {
    candidates: pools.length,
    feasible,
    filters: listFilters(counts),
    tieBreak: chosen && second ? tieBreakBetween(work, chosen, second) : undefined,
  }
}

/** Counts by reason, the most first. */
export const listFilters = (counts: ReadonlyMap<PlacementReason, number>): FilterCount[] =>
  [...counts]
    .map(([reason, pools]) => ({ reason, pools }))
    .sort((a, b) => b.pools - a.pools || (a.reason < b.reason ? -1 : 1))

/** The tie-break between two feasible pools; absent where something else decided. */
export const tieBreakBetween = (
  work: Workload,
  chosen: PoolView,
  second: PoolView,
): TieBreak | undefined => {
  const { preferPools, isStrict, seed } = work.job
  const isTied =
    scoreMs(work, chosen) === scoreMs(work, second) &&
    preferPools.includes(chosen.poolId) === preferPools.includes(second.poolId) &&
    // A strict job with a seed goes by the seed.
    !(isStrict && seed !== undefined)
  return isTied ? decidingTieBreak(chosen, second, work) : undefined
}

const isBetter = (work: Workload, pool: PoolView, best: PoolView | undefined): boolean => {
  if (!best) return true
  return (scoreMs(work, pool) - scoreMs(work, best) || breakTie(pool, best, work)) < 0
}
