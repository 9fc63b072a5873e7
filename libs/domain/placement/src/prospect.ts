import type { FleetView, PoolView } from '@berth/fleet'
import { ask, judge } from './judge.ts'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import { hasEvidence } from './prediction-errors.ts'
import { predictEndMs } from './predict.ts'
import { VERDICTS, type Verdict } from './verdict.ts'
import { workloadOf } from './workload.ts'

/** What a job that has no slot yet can expect of the pools it may go to. */
export interface Prospect {
  /** Where it would be over first, had it a slot there now. */
  readonly pool: PoolView
  /** How long that takes from the moment it has the slot, in milliseconds. */
  readonly endMs: number
  /**
   * Every pool it may go to serves, and is known by requests it served. Where one is not, as while
   * it starts, the job may be over sooner than anybody can tell.
   */
  readonly isMeasured: boolean
}

/** Looks at the pools a job may go to, now or later; undefined when there is none. */
export const prospectOf = (
  view: FleetView,
  job: PlacementJob,
  policy: PlacementPolicy,
  now: number,
): Prospect | undefined => {
  const question = ask(view, job, policy, now)
  const work = workloadOf(view, job, policy, now)
  const { pinPoolId, preferPools, allowFallback } = job
  const isBound = preferPools.length > 0 && !allowFallback
  let best: PoolView | undefined
  let bestMs = Infinity
  let isMeasured = true
  for (const pool of view.poolsOfModel.get(job.modelId) ?? []) {
    if (pinPoolId !== undefined && pool.poolId !== pinPoolId) continue
    if (isBound && !preferPools.includes(pool.poolId)) continue
    const verdict = judge(question, pool)
    if (verdict.when === 'never') continue
    isMeasured &&= isServing(verdict) && hasEvidence(pool)
    const endMs = predictEndMs(work, pool)
    if (best && (endMs > bestMs || (endMs === bestMs && pool.poolId > best.poolId))) continue
    best = pool
    bestMs = endMs
  }
  return best && { pool: best, endMs: bestMs, isMeasured }
}

/** Of a pool that serves this model now, to this job or to others. */
const isServing = (verdict: Verdict): boolean =>
  verdict === VERDICTS.FEASIBLE ||
  verdict === VERDICTS.NO_CAPACITY ||
  verdict === VERDICTS.CACHE_IN_USE
