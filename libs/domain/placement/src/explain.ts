import { estKvBytesOf, slotsFree, type FleetView, type PoolView } from '@berth/fleet'
import type { PoolId } from '@berth/kernel'
import { adviseOn } from './advice.ts'
import { detailOf } from './explain-detail.ts'
import { judgeCandidate } from './candidacy.ts'
import { ask, type Question } from './judge.ts'
import { place, type Decision } from './place.ts'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import { isDefaultSpeed, predictEndMs, scoreMs, speedOf } from './predict.ts'
import { scoreOf, type Score } from './score.ts'
import { breakTie } from './tie-break.ts'
import { listFilters, newCounts, tieBreakBetween, type FilterCount } from './tally.ts'
import type { TieBreak } from './tie-break-name.ts'
import { workloadOf, type Workload } from './workload.ts'
import type { PlacementReason, Verdict } from './verdict.ts'

/** One pool as the decision saw it. */
export interface Candidate {
  readonly poolId: PoolId
  /** `FEASIBLE`, or the first reason why not. */
  readonly reason: PlacementReason
  /** The fact behind the reason; empty for a feasible pool. */
  readonly detail: string
  readonly predictedEndMs: number
  /** What `predictedEndMs` is the sum of. */
  readonly score: Score
  readonly activeLeases: number
  readonly slotsFree: number
  /** The pool has no measurements yet; its device kind's default was used. */
  readonly isDefaultHint: boolean
  /** The pool ran this session last, or holds the beginning of this prompt. */
  readonly isWarm: boolean
  /** Room for caches that the job would leave; absent when the host cannot tell. */
  readonly vramHeadroomBytes?: number
  readonly tokensPerS: number
  /** 1 is the best; 0 for pools that are not feasible. */
  readonly rank: number
}

/** A decision and everything that was looked at. */
export interface Explanation {
  readonly decision: Decision
  /** The chosen one first, then feasible ones by score, then the nearest to being so. */
  readonly candidates: readonly Candidate[]
  /** The most pools first. */
  readonly filters: readonly FilterCount[]
  /** What told the chosen pool from the next; absent when their scores did. */
  readonly tieBreak: TieBreak | undefined
  readonly isPinned: boolean
  /** None of the preferred pools was chosen. */
  readonly isFallback: boolean
  /** What would have to change for the job to run; empty when it can. */
  readonly advice: readonly string[]
}

/**
 * Says where a job would go and why, and changes nothing. For people: it allocates per pool,
 * unlike `place`.
 */
export const explain = (
  view: FleetView,
  job: PlacementJob,
  policy: PlacementPolicy,
  now: number,
): Explanation => {
  const question = ask(view, job, policy, now)
  const decision = place(view, job, policy, now)
  const chosen = decision.kind === 'assigned' ? decision.pool : undefined
  // After `place`, which takes the job's work out of it for itself.
  const work = workloadOf(view, job, policy, now)
  const judged = [...view.pools.values()].map((pool) => look({ question, work, chosen }, pool))
  judged.sort((a, b) => order(work, a, b))
  const obstacles = judged.map(({ pool, verdict }) => ({ pool, reason: verdict.reason }))
  return {
    decision,
    candidates: judged.map((seen, index) => describe(question, seen, index)),
    filters: countFilters(judged),
    tieBreak: tieBreakOf(work, judged),
    isPinned: job.pinPoolId !== undefined,
    isFallback: isFallback(job, decision),
    advice: chosen ? [] : adviseOn(question, obstacles),
  }
}

/** Whether a job went elsewhere although it prefers pools. */
export const isFallback = ({ preferPools, pinPoolId }: PlacementJob, decision: Decision): boolean =>
  decision.kind === 'assigned' &&
  pinPoolId === undefined &&
  preferPools.length > 0 &&
  !preferPools.includes(decision.pool.poolId)

interface Seen {
  readonly pool: PoolView
  readonly verdict: Verdict
  readonly isChosen: boolean
  readonly score: Score
  /** What pools were compared by. */
  readonly scoreMs: number
  readonly endMs: number
}

interface Sight {
  readonly question: Question
  readonly work: Workload
  readonly chosen: PoolView | undefined
}

const look = ({ question, work, chosen }: Sight, pool: PoolView): Seen => ({
  pool,
  verdict: judgeCandidate(question, pool),
  isChosen: pool === chosen,
  score: scoreOf(work, pool),
  scoreMs: scoreMs(work, pool),
  endMs: predictEndMs(work, pool),
})

/** The choice leads also where a preference beats a score. */
const order = (work: Workload, a: Seen, b: Seen): number =>
  Number(b.isChosen) - Number(a.isChosen) ||
  b.verdict.rank - a.verdict.rank ||
  (isFeasible(a) ? a.scoreMs - b.scoreMs || breakTie(a.pool, b.pool, work) : byId(a.pool, b.pool))

const describe = (
  question: Question,
  { pool, verdict, score, endMs }: Seen,
  index: number,
): Candidate => {
  const { job, policy } = question
  const headroomBytes = pool.kvFreeBytes - estKvBytesOf(pool, job)
  return {
    poolId: pool.poolId,
    reason: verdict.reason,
    detail: detailOf(question, pool, verdict.reason),
    predictedEndMs: endMs,
    score,
    activeLeases: pool.reserved,
    slotsFree: slotsFree(pool),
    isDefaultHint: isDefaultSpeed(pool),
    isWarm: score.cachedBlocks > 0 || pool.poolId === job.warmPoolId,
    ...(Number.isFinite(headroomBytes) ? { vramHeadroomBytes: Math.max(0, headroomBytes) } : {}),
    tokensPerS: speedOf(pool, policy).tokensPerS,
    rank: verdict.when === 'now' ? index + 1 : 0,
  }
}

const countFilters = (judged: readonly Seen[]): readonly FilterCount[] => {
  const counts = newCounts()
  for (const { verdict } of judged) counts[verdict.rank]! += 1
  return listFilters(counts)
}

const tieBreakOf = (work: Workload, [first, second]: readonly Seen[]): TieBreak | undefined =>
  first?.isChosen && second && isFeasible(second)
    ? tieBreakBetween(work, first.pool, second.pool)
    : undefined

const isFeasible = ({ verdict }: Seen): boolean => verdict.when === 'now'

const byId = (a: PoolView, b: PoolView): number => (a.poolId < b.poolId ? -1 : 1)
