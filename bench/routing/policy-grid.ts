import { berth } from './policies/berth.ts'
import {
  leastOutstanding,
  powerOfTwo,
  random,
  roundRobin,
  type Weighting,
} from './policies/blind.ts'
import { boundedHash, type HashKey } from './policies/bounded-hash.ts'
import { llmd, type LlmdSettings } from './policies/llmd.ts'
import { sessionSticky } from './policies/session-sticky.ts'
import type { CreateRouter } from './router.ts'

/** A policy with one choice of its parameters. */
export interface Candidate {
  readonly parameters: string
  readonly create: CreateRouter
}

/** A policy with every choice the sweep tries. */
export interface PolicyGrid {
  readonly policy: string
  readonly candidates: readonly Candidate[]
}

const WEIGHTINGS: readonly Weighting[] = ['equal', 'speed']
const KEYS: readonly HashKey[] = ['session', 2, 4]
const LOAD_FACTORS = [1.1, 1.25, 1.5, 2]
const MOVE_ABOVE = [1.25, 1.5, 2, Infinity]

/** Scorer weights: those of llm-d's guides and samples, and around them. */
const LLMD: readonly LlmdSettings[] = [
  { queue: 2, kv: 2, active: 0, prefix: 3 },
  { queue: 1, kv: 1, active: 0, prefix: 1 },
  { queue: 1, kv: 1, active: 0, prefix: 3 },
  { queue: 1, kv: 2, active: 0, prefix: 1 },
  { queue: 2, kv: 2, active: 2, prefix: 3 },
  { queue: 1, kv: 1, active: 2, prefix: 1 },
  { queue: 1, kv: 1, active: 1, prefix: 2 },
  { queue: 0, kv: 1, active: 2, prefix: 1 },
  { queue: 0, kv: 0, active: 1, prefix: 1 },
  { queue: 0, kv: 0, active: 2, prefix: 1 },
]

/**
 * The policies under comparison. Those that cannot tell replicas apart may weigh them by speed,
 * as an operator would write into a proxy's configuration. Berth has one candidate: its defaults.
 */
export const policyGrids = (isMixed: boolean): PolicyGrid[] => {
  const weightings = isMixed ? WEIGHTINGS : WEIGHTINGS.slice(0, 1)
  const weighed = (create: (weighting: Weighting) => CreateRouter): Candidate[] =>
    weightings.map((weighting) => ({ parameters: weighting, create: create(weighting) }))
  return [
    { policy: 'berth', candidates: [{ parameters: 'defaults', create: berth() }] },
    { policy: 'round_robin', candidates: weighed(roundRobin) },
    { policy: 'random', candidates: weighed(random) },
    { policy: 'least_outstanding', candidates: weighed(leastOutstanding) },
    { policy: 'power_of_two', candidates: weighed(powerOfTwo) },
    {
      policy: 'consistent_hash_bounded',
      candidates: weightings.flatMap((weighting) =>
        KEYS.flatMap((key) =>
          LOAD_FACTORS.map((loadFactor) => ({
            parameters: `key ${key}, load ${loadFactor}, ${weighting}`,
            create: boundedHash({ key, loadFactor, weighting }),
          })),
        ),
      ),
    },
    {
      policy: 'session_sticky',
      candidates: weightings.flatMap((weighting) =>
        MOVE_ABOVE.map((moveAbove) => ({
          parameters: `move above ${moveAbove}, ${weighting}`,
          create: sessionSticky(weighting, moveAbove),
        })),
      ),
    },
    {
      policy: 'llmd',
      candidates: LLMD.map((weights) => ({
        parameters: Object.entries(weights)
          .map(([scorer, weight]) => `${scorer} ${weight}`)
          .join(', '),
        create: llmd(weights),
      })),
    },
  ]
}
