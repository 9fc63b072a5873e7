/** When a pool can take a job: at once, later without anybody's doing, or never as it is. */
export type When = 'now' | 'later' | 'never'

/** What placement says of one pool and one job. `rank` grows with how near the pool came. */
export interface Verdict {
  readonly reason: PlacementReason
  readonly when: When
  readonly rank: number
}

/**
 * Every verdict, from the farthest from serving to the nearest. A fleet's answer is the nearest
 * verdict of its pools: that is the one a caller can act on. The third column is the reason where
 * two verdicts share one: memory that leases hold comes back, memory that is not there does not.
 */
const LADDER = [
  ['MODEL_NOT_FOUND', 'never'],
  ['MODEL_INCOMPATIBLE', 'never'],
  ['PINNED_POOL_INFEASIBLE', 'never'],
  ['NO_PREFERRED_FEASIBLE', 'never'],
  ['POOL_AVOIDED', 'never'],
  ['UNSUPPORTED_ROUTE', 'never'],
  ['DEVICE_MASK_UNSATISFIED', 'never'],
  ['ENGINE_UNAVAILABLE', 'never'],
  ['QUANTIZATION_UNSUPPORTED', 'never'],
  ['COMPUTE_CAPABILITY_TOO_LOW', 'never'],
  ['EXTENSIONS_UNSATISFIED', 'never'],
  ['DETERMINISM_UNSATISFIED', 'never'],
  ['MIN_VRAM_UNMET', 'never'],
  ['INSUFFICIENT_CTX', 'never'],
  ['INSUFFICIENT_VRAM', 'never'],
  ['POOL_FAILED', 'never'],
  ['POOL_UNREADY', 'later'],
  ['POOL_EXCLUDED', 'later'],
  ['MODEL_LOADING', 'later'],
  ['VRAM_IN_USE', 'later', 'MIN_VRAM_UNMET'],
  ['CACHE_IN_USE', 'later', 'INSUFFICIENT_VRAM'],
  ['NO_CAPACITY', 'later'],
  ['FEASIBLE', 'now'],
] as const satisfies readonly (readonly [string, When] | readonly [string, When, string])[]

type Rung = (typeof LADDER)[number]
type ReasonOf<R> = R extends readonly [string, When, infer Reason]
  ? Reason
  : R extends readonly [infer Name, When]
    ? Name
    : never

/** Stable; the wire's `placement_reason`. */
export type PlacementReason = ReasonOf<Rung>

/** The verdicts by name, which is the reason but for memory in use. */
export const VERDICTS = Object.freeze(
  Object.fromEntries(
    LADDER.map(([name, when, reason = name], rank) => [
      name,
      Object.freeze({ reason, when, rank }),
    ]),
  ),
) as Readonly<Record<Rung[0], Verdict>>
