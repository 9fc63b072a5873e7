import type { FleetView, PoolView } from '@berth/fleet'
import { judgeCandidate } from './candidacy.ts'
import { ask, isFeasible } from './judge.ts'
import type { Decision } from './place.ts'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import { scoreMs } from './predict.ts'
import { breakTie } from './tie-break.ts'
import { decidingTieBreak, type TieBreak } from './tie-break-name.ts'
import { VERDICTS, type PlacementReason } from './verdict.ts'
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
  const counts = newCounts()
  const tie = createTie(workloadOf(view, job, policy, now), decision)
  const isPlain = job.pinPoolId === undefined && job.preferPools.length === 0
  let feasible = 0
  for (const pool of pools) {
    // Most pools are feasible or out by their numbers alone; why they are out is asked of the rest.
    const verdict =
      isPlain && isFeasible(question, pool) ? VERDICTS.FEASIBLE : judgeCandidate(question, pool)
    if (verdict === VERDICTS.FEASIBLE) {
      feasible += 1
      tie?.meet(pool)
    } else counts[verdict.rank]! += 1
  }
  const tieBreak = tie?.between()
  return { candidates: pools.length, feasible, filters: listFilters(counts), tieBreak }
}

/** Finds the best of the pools that score as the chosen one does; none when some score better. */
const createTie = (work: Workload, decision: Decision) => {
  if (decision.kind !== 'assigned') return undefined
  const chosen = decision.pool
  const chosenMs = scoreMs(work, chosen)
  let second: PoolView | undefined
  let isBeaten = false
  return {
    meet: (pool: PoolView) => {
      if (pool === chosen) return
      const ms = scoreMs(work, pool)
      if (ms < chosenMs) isBeaten = true
      else if (ms === chosenMs && (!second || breakTie(pool, second, work) < 0)) second = pool
    },
    between: () => (second && !isBeaten ? tieBreakBetween(work, chosen, second) : undefined),
  }
}

/** By rank: how many pools got each verdict. The most first, without those that are feasible. */
export const listFilters = (counts: Uint32Array): FilterCount[] => {
  const byReason = new Map<PlacementReason, number>()
  for (const { reason, rank, when } of LADDER) {
    const pools = counts[rank]!
    if (pools > 0 && when !== 'now') byReason.set(reason, (byReason.get(reason) ?? 0) + pools)
  }
  return [...byReason]
    .map(([reason, pools]) => ({ reason, pools }))
    .sort((a, b) => b.pools - a.pools || (a.reason < b.reason ? -1 : 1))
}

/** A count of no verdicts. */
export const newCounts = (): Uint32Array => new Uint32Array(LADDER.length)

const LADDER = Object.values(VERDICTS)

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
