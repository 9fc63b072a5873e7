import {
  createModelSpeeds,
  modelsKnown,
  OCCUPANCY_BANDS,
  PROMPT_BANDS,
  type ModelSpeeds,
  type SpeedClass,
} from '@berth/fleet'

/** One request's speed. */
export interface SpeedSample {
  /** 0: unknown when it was granted. */
  readonly promptTokens: number
  /** Requests in flight while it ran, itself counted. */
  readonly occupancy: number
  readonly ms: number
  /** How much it says: 1 for a full sample. */
  readonly weight: number
}

/** Half of what a cell knows is forgotten in this time. */
const HALF_LIFE_MS = 600_000
/** No more than so many samples hold against a new one. */
const WEIGHT_MAX = 64

/** The band of a prompt of unknown length, which is taken for so many tokens. */
export const UNKNOWN_PROMPT = PROMPT_BANDS
export const NOMINAL_PROMPT_TOKENS = 1_024

/** The band of a prompt: up to 2^(8 + band) tokens. */
export const promptBand = (tokens: number): number => {
  if (tokens <= 0) return UNKNOWN_PROMPT
  const band = tokens <= 256 ? 0 : 24 - Math.clz32(Math.ceil(tokens) - 1)
  return Math.min(PROMPT_BANDS - 1, band)
}

/** The band of so many requests in flight: up to 2^band. */
export const occupancyBand = (occupancy: number): number =>
  occupancy <= 1 ? 0 : Math.min(OCCUPANCY_BANDS - 1, 32 - Math.clz32(Math.ceil(occupancy) - 1))

/** Tokens of a prompt in the middle of its band. */
export const typicalPrompt = (band: number): number => 0.75 * 2 ** (8 + band)

/** Requests in flight in the middle of a band. */
export const typicalOccupancy = (band: number): number =>
  band === 0 ? 1 : (2 ** (band - 1) + 1 + 2 ** band) / 2

/** The speeds of a model in a class; undefined when it never served there. */
export const speedsOf = ({ models }: SpeedClass, model: number): ModelSpeeds | undefined =>
  models.find((known) => known.model === model)

/** Folds a stream's milliseconds between tokens into its cell. */
export const learnDecode = (speeds: ModelSpeeds, sample: SpeedSample): void =>
  fold(speeds.decodeMs, speeds.decodeWeight, sample)

/** Folds a prompt's reading time for each token into its cell. */
export const learnRead = (speeds: ModelSpeeds, sample: SpeedSample): void =>
  fold(speeds.readMs, speeds.readWeight, sample)

/** The speeds of a model, made when there are none, with what was known of it aged to now. */
export const speedsToLearn = (kind: SpeedClass, model: number, nowMs: number): ModelSpeeds => {
  const { models } = kind
  const known = speedsOf(kind, model)
  if (known !== undefined && models.at(-1) !== known) models.splice(models.indexOf(known), 1)
  else if (known === undefined && models.length >= modelsKnown(kind)) models.shift()
  const speeds = known ?? createModelSpeeds(model, nowMs)
  if (models.at(-1) !== speeds) models.push(speeds)
  age(speeds, nowMs)
  return speeds
}

const age = (speeds: ModelSpeeds, nowMs: number) => {
  const keep = 0.5 ** (Math.max(0, nowMs - speeds.agedAtMs) / HALF_LIFE_MS)
  speeds.agedAtMs = Math.max(speeds.agedAtMs, nowMs)
  for (let cell = 0; cell < speeds.decodeMs.length; cell++) {
    speeds.decodeWeight[cell]! *= keep
    speeds.readWeight[cell]! *= keep
  }
}

const fold = (means: Float32Array, weights: Float32Array, sample: SpeedSample) => {
  const { promptTokens, occupancy, ms } = sample
  const cell = promptBand(promptTokens) * OCCUPANCY_BANDS + occupancyBand(occupancy)
  const weight = Math.min(WEIGHT_MAX, weights[cell]! + sample.weight)
  means[cell]! += (sample.weight / weight) * (ms - means[cell]!)
  weights[cell] = weight
}
