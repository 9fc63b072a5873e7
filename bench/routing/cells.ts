import { chatEngine, type EngineSpec } from './engine-speed.ts'
import { measure, throughputPerS, type Quality } from './measure.ts'
import { leastOutstanding } from './policies/blind.ts'
import { policyGrids, type Candidate, type PolicyGrid } from './policy-grid.ts'
import { replay } from './replay.ts'
import type { CreateRouter } from './router.ts'
import { atRate, headOf, type Trace } from './trace.ts'

/** What kinds of card a fleet has. */
export type Mix = 'h100' | 'h100+a100'

/** One cell of the table: a policy on a fleet under a load. */
export interface Row extends Quality {
  readonly trace: string
  readonly policy: string
  readonly replicas: number
  readonly mix: Mix
  /** Share of the fleet's measured capacity. */
  readonly load: number
}

/** Which cells to fill. */
export interface Plan {
  readonly replicas: readonly number[]
  readonly mixes: readonly Mix[]
  readonly loads: readonly number[]
  /** Requests of a replay for each replica, at most. */
  readonly requestsPerReplica: number
}

/** The settings that won for each policy, and where. */
export interface Tuned {
  readonly mix: Mix
  readonly policy: string
  readonly parameters: string
}

/** llm-d scrapes every 50 ms at best; its deployments use more. */
const SCRAPE_MS = 100
const SEED = 1
/** The first fifth of a replay warms the caches up and is not measured. */
const WARM_UP = 0.2
/** Parameters are chosen on the first part of a trace, on a fleet of this size, at this load. */
const TRAINING = { share: 0.25, replicas: 8, load: 0.85 }

/** Fills every cell of a plan for one trace. */
export const fillCells = (trace: Trace, plan: Plan, report: (row: Row) => void): Tuned[] => {
  const tuned: Tuned[] = []
  for (const mix of plan.mixes) {
    const grids = policyGrids(mix === 'h100+a100')
    const chosen = grids.map((grid) => ({
      policy: grid.policy,
      best: choose(trace, mix, grid, plan),
    }))
    for (const { policy, best } of chosen) tuned.push({ mix, policy, parameters: best.parameters })
    for (const replicas of plan.replicas) {
      const fleet = buildFleet(mix, replicas)
      const part = headOf(trace, replicas * plan.requestsPerReplica)
      const capacity = capacityPerS(part, fleet)
      for (const load of plan.loads) {
        const paced = atRate(part, capacity * load)
        for (const { policy, best } of chosen) {
          const quality = run(paced, fleet, best.create)
          report({ trace: trace.name, policy, replicas, mix, load, ...quality })
        }
      }
    }
  }
  return tuned
}

/** Fast cards, or fast and slow ones in equal parts. */
export const buildFleet = (mix: Mix, replicas: number): EngineSpec[] =>
  Array.from({ length: replicas }, (_, index) =>
    chatEngine(mix === 'h100+a100' && index % 2 === 1 ? 'a100' : 'h100'),
  )

/**
 * Requests a second that a fleet completes when all of them are there from the start, spread over
 * it by count: what it can do without knowing what prompts share.
 */
export const capacityPerS = (trace: Trace, fleet: readonly EngineSpec[]): number =>
  throughputPerS(
    replay(atRate(trace, 1e6), leastOutstanding('speed'), {
      fleet,
      seed: SEED,
      scrapeMs: SCRAPE_MS,
    }),
  )

/** The candidate with the most requests in time; of equals, with the lowest mean first token. */
const choose = (trace: Trace, mix: Mix, { candidates }: PolicyGrid, plan: Plan): Candidate => {
  if (candidates.length === 1) return candidates[0]!
  const fleet = buildFleet(mix, TRAINING.replicas)
  const most = TRAINING.replicas * plan.requestsPerReplica
  const part = headOf(trace, Math.min(most, Math.ceil(trace.count * TRAINING.share)))
  const paced = atRate(part, capacityPerS(part, fleet) * TRAINING.load)
  const tried = candidates.map((candidate) => ({
    candidate,
    quality: run(paced, fleet, candidate.create),
  }))
  tried.sort(
    (a, b) =>
      b.quality.goodput_ratio - a.quality.goodput_ratio ||
      a.quality.ttft_mean_ms - b.quality.ttft_mean_ms,
  )
  return tried[0]!.candidate
}

const run = (trace: Trace, fleet: readonly EngineSpec[], create: CreateRouter): Quality => {
  const replayed = replay(trace, create, { fleet, seed: SEED, scrapeMs: SCRAPE_MS })
  return measure(trace, replayed, fleet, Math.floor(trace.count * WARM_UP))
}
