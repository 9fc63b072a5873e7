import type { SpeedClass } from './speed-class.ts'

/**
 * What core has learnt of a pool by what it granted there. The functions that read and change it
 * are those of `@berth/placement`; it hangs on the view so that it ends with the pool.
 */
export interface PoolEvidence {
  /** Reading time of all prompts ever granted, in milliseconds. */
  grantedPrefillMs: number
  /** Times the engine is believed to have run out of prompts. */
  pauses: number
  /** `grantedPrefillMs` of the newest prompt that is known to have been read. */
  knownReadMs: number
  /** Grants that are not over, and the sum of the moments they are expected to be. */
  openGrants: number
  openEndsMs: number
  /** Moving average of how long a grant holds its slot; 0 when none was released yet. */
  meanServiceMs: number
  /** Speeds, which the pool shares with others of its kind. */
  speeds: SpeedClass
  readonly readBias: Bias
  readonly decodeBias: Bias
  /** Actual over predicted duration of the last requests, a ring of `errorsNoted` entries. */
  readonly errors: Float32Array
  errorsNoted: number
}

/** How much slower a pool is: the mean logarithm of the factor. Its class's mean is no bias. */
export interface Bias {
  log: number
  /** Samples it rests on; the first are assumed. */
  weight: number
}

/** A pool is as fast as its kind until so many requests say otherwise. */
const ASSUMED_SAMPLES = 16
const ERRORS_KEPT = 64

/** Of a pool nothing is known of but its kind. */
export const createPoolEvidence = (speeds: SpeedClass): PoolEvidence => ({
  grantedPrefillMs: 0,
  pauses: 0,
  knownReadMs: 0,
  openGrants: 0,
  openEndsMs: 0,
  meanServiceMs: 0,
  speeds,
  readBias: { log: 0, weight: ASSUMED_SAMPLES },
  decodeBias: { log: 0, weight: ASSUMED_SAMPLES },
  errors: new Float32Array(ERRORS_KEPT),
  errorsNoted: 0,
})

/** The pool is of another kind than was thought. */
export const beginClass = (evidence: PoolEvidence, speeds: SpeedClass): void => {
  evidence.speeds = speeds
  Object.assign(evidence.readBias, { log: 0, weight: ASSUMED_SAMPLES })
  Object.assign(evidence.decodeBias, { log: 0, weight: ASSUMED_SAMPLES })
}

/** A new engine process has nothing to do. How fast the pool is stays known. */
export const beginEvidence = (evidence: PoolEvidence): void => {
  evidence.grantedPrefillMs = 0
  evidence.knownReadMs = 0
  evidence.openGrants = 0
  evidence.openEndsMs = 0
}
