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
 * verdict of its pools: that is the one a caller can act on.
 */
const LADDER = [
  ['MODEL_NOT_FOUND', 'never'],
  ['PINNED_POOL_INFEASIBLE', 'never'],
  ['NO_PREFERRED_FEASIBLE', 'never'],
  ['POOL_AVOIDED', 'never'],
  ['UNSUPPORTED_ROUTE', 'never'],
  ['DEVICE_MASK_UNSATISFIED', 'never'],
  ['ENGINE_UNAVAILABLE', 'never'],
  ['QUANTIZATION_UNSUPPORTED', 'never'],
  ['COMPUTE_CAPABILITY_TOO_LOW', 'never'],
  ['EXTENSIONS_UNSATISFIED', 'never'],
  ['MIN_VRAM_UNMET', 'never'],
  ['INSUFFICIENT_CTX', 'never'],
  ['POOL_FAILED', 'never'],
  ['POOL_UNREADY', 'later'],
  ['POOL_EXCLUDED', 'later'],
  ['MODEL_LOADING', 'later'],
  ['NO_CAPACITY', 'later'],
  ['FEASIBLE', 'now'],
] as const satisfies readonly (readonly [string, When])[]

/** Stable; the wire's `placement_reason`. */
export type PlacementReason = (typeof LADDER)[number][0]

/** The verdicts by reason. */
export const VERDICTS = Object.freeze(
  Object.fromEntries(
    LADDER.map(([reason, when], rank) => [reason, Object.freeze({ reason, when, rank })]),
  ),
) as Readonly<Record<PlacementReason, Verdict>>
