/**
 * What core has learnt of a pool by what it granted there. The functions that read and change it
 * are those of `@berth/placement`; it hangs on the view so that it ends with the pool. At most
 * 10 KB: `evidenceBytes` counts its arrays.
 */
export interface PoolEvidence {
  /** Reading time of all prompts ever granted, in milliseconds. */
  grantedPrefillMs: number
  /** Grants that are not over, and the sum of the moments they are expected to be. */
  openGrants: number
  openEndsMs: number
  /** Moving average of how long a grant holds its slot; 0 when none was released yet. */
  meanServiceMs: number
  /** Of the models last served here, the oldest first. */
  readonly speeds: ModelSpeeds[]
  /** Actual over predicted duration of the last requests, a ring of `errorsNoted` entries. */
  readonly errors: Float32Array
  errorsNoted: number
}

/** Moving averages of one model by prompt band and occupancy band, `cellOf` numbers them. */
export interface ModelSpeeds {
  /** Stands for the model; see `modelKey`. */
  readonly model: number
  /** Milliseconds between two tokens of one stream, and how much was measured. */
  readonly decodeMs: Float32Array
  readonly decodeWeight: Float32Array
  /** Milliseconds of reading for each token of a prompt, and how much was measured. */
  readonly readMs: Float32Array
  readonly readWeight: Float32Array
  /** When the weights were last aged, on the caller's clock. */
  agedAtMs: number
}

/** Prompts up to 2^(8 + band) tokens; the last band has no end, and one more is for unknown. */
export const PROMPT_BANDS = 10
/** Up to 2^band requests in flight; the last band has no end. */
export const OCCUPANCY_BANDS = 9
/** Models a pool is known by; the one that served longest ago makes room. */
export const MODELS_KNOWN = 3
const ERRORS_KEPT = 64

/** Of a pool nothing is known of yet. */
export const createPoolEvidence = (): PoolEvidence => ({
  grantedPrefillMs: 0,
  openGrants: 0,
  openEndsMs: 0,
  meanServiceMs: 0,
  speeds: [],
  errors: new Float32Array(ERRORS_KEPT),
  errorsNoted: 0,
})

/** Of a model nothing is known of yet. */
export const createModelSpeeds = (model: number, nowMs: number): ModelSpeeds => {
  const cells = PROMPT_BANDS * OCCUPANCY_BANDS
  return {
    model,
    decodeMs: new Float32Array(cells),
    decodeWeight: new Float32Array(cells),
    readMs: new Float32Array(cells),
    readWeight: new Float32Array(cells),
    agedAtMs: nowMs,
  }
}

/** A new engine process has nothing to do. How fast the pool is stays known. */
export const beginEvidence = (evidence: PoolEvidence): void => {
  evidence.grantedPrefillMs = 0
  evidence.openGrants = 0
  evidence.openEndsMs = 0
}

/** Bytes of the arrays. */
export const evidenceBytes = ({ speeds, errors }: PoolEvidence): number =>
  errors.byteLength +
  speeds.reduce(
    (bytes, { decodeMs, decodeWeight, readMs, readWeight }) =>
      bytes +
      decodeMs.byteLength +
      decodeWeight.byteLength +
      readMs.byteLength +
      readWeight.byteLength,
    0,
  )
