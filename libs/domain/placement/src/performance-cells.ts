import {
  createModelSpeeds,
  MODELS_KNOWN,
  OCCUPANCY_BANDS,
  PROMPT_BANDS,
  type ModelSpeeds,
  type PoolEvidence,
  type PoolView,
} from '@berth/fleet'
import type { ModelId } from '@berth/kernel'
import { modelKey } from './warmth.ts'

/** One request's speed. */
export interface SpeedSample {
  readonly promptTokens: number
  /** Requests in flight while it ran, itself counted. */
  readonly occupancy: number
  readonly ms: number
  /** How much it says: 1 for a full sample. */
  readonly weight: number
}

/** Half of what a cell knows is forgotten in this time. */
const HALF_LIFE_MS = 300_000
/** No more than so many samples hold against a new one. */
const WEIGHT_MAX = 16
/** Published averages count as so many samples of our own: they tell nothing of queue or cache. */
const PUBLISHED_WEIGHT_MAX = 4

/** The last band is for prompts of unknown length. */
export const UNKNOWN_PROMPT = PROMPT_BANDS

/** The band of a prompt: up to 2^(8 + band) tokens. */
export const promptBand = (tokens: number): number => {
  if (tokens <= 0) return UNKNOWN_PROMPT
  const band = tokens <= 256 ? 0 : 24 - Math.clz32(Math.ceil(tokens) - 1)
  return Math.min(PROMPT_BANDS - 1, band)
}

/** The band of so many requests in flight: up to 2^band. */
export const occupancyBand = (occupancy: number): number =>
  occupancy <= 1 ? 0 : Math.min(OCCUPANCY_BANDS - 1, 32 - Math.clz32(Math.ceil(occupancy) - 1))

/** The speeds of a model in a pool; undefined when it never served there. */
export const speedsOf = ({ speeds }: PoolEvidence, model: number): ModelSpeeds | undefined =>
  speeds.find((known) => known.model === model)

/** Folds a stream's milliseconds between tokens into its cell. */
export const learnDecode = (
  evidence: PoolEvidence,
  model: number,
  sample: SpeedSample,
  nowMs: number,
): void => {
  const speeds = ageSpeeds(evidence, model, nowMs)
  fold(speeds.decodeMs, speeds.decodeWeight, sample)
}

/** Folds a prompt's reading time for each token into its cell. */
export const learnRead = (
  evidence: PoolEvidence,
  model: number,
  sample: SpeedSample,
  nowMs: number,
): void => {
  const speeds = ageSpeeds(evidence, model, nowMs)
  fold(speeds.readMs, speeds.readWeight, sample)
}

/** What is known of a pool's speed at one occupancy and prompt length; NaN where nothing is. */
export interface Estimate {
  readonly decodeMs: number
  readonly readMs: number
}

/**
 * Milliseconds between tokens and for each token of a prompt, out of the cells near by: a cell
 * counts the less the more bands it is away, and between tokens a line through occupancy is
 * fitted, as each further stream adds its share to every step of a batch. What the pool
 * published counts beside what was measured here. NaN with no cell at all.
 */
export const estimate = (
  pool: PoolView,
  modelId: ModelId,
  band: number,
  occupancy: number,
): Estimate => {
  const line = newLine()
  const read = { weight: 0, sum: 0 }
  const at = occupancyBand(occupancy)
  const own = speedsOf(pool.evidence, modelKey(modelId))
  if (own) {
    for (let cell = 0; cell < own.decodeMs.length; cell++) {
      const cellBand = Math.floor(cell / OCCUPANCY_BANDS)
      const cellOccupancy = cell % OCCUPANCY_BANDS
      const near = nearness(band, cellBand, at, cellOccupancy)
      addToLine(line, near * own.decodeWeight[cell]!, middle(cellOccupancy), own.decodeMs[cell]!)
      read.weight += near * own.readWeight[cell]!
      read.sum += near * own.readWeight[cell]! * own.readMs[cell]!
    }
  }
  for (const published of pool.snapshot.performance?.cells ?? []) {
    if (published.modelId !== modelId || published.tokensPerS <= 0) continue
    const { promptBand: cellBand, occupancyBand: cellOccupancy } = published
    const known = Math.min(published.samples, PUBLISHED_WEIGHT_MAX)
    const weight = known * nearness(band, cellBand, at, cellOccupancy)
    addToLine(line, weight, middle(cellOccupancy), 1_000 / published.tokensPerS)
    read.weight += weight
    read.sum += (weight * published.firstTokenMs) / typicalPrompt(cellBand)
  }
  return { decodeMs: readLine(line, occupancy), readMs: read.sum / read.weight }
}

/** Tokens of a prompt in the middle of its band. */
export const typicalPrompt = (band: number): number => 0.75 * 2 ** (8 + band)

const cellOf = (sample: SpeedSample): number =>
  Math.min(PROMPT_BANDS - 1, promptBand(Math.max(1, sample.promptTokens))) * OCCUPANCY_BANDS +
  occupancyBand(sample.occupancy)

const fold = (means: Float32Array, weights: Float32Array, sample: SpeedSample) => {
  const cell = cellOf(sample)
  const weight = Math.min(WEIGHT_MAX, weights[cell]! + sample.weight)
  means[cell]! += (sample.weight / weight) * (sample.ms - means[cell]!)
  weights[cell] = weight
}

/** The speeds of a model, made when there are none, with what was known of it aged to now. */
const ageSpeeds = (evidence: PoolEvidence, model: number, nowMs: number): ModelSpeeds => {
  const { speeds } = evidence
  const known = speedsOf(evidence, model)
  if (speeds.at(-1) !== known) speeds.splice(speeds.indexOf(known!), 1)
  else if (!known && speeds.length === MODELS_KNOWN) speeds.shift()
  const own = known ?? createModelSpeeds(model, nowMs)
  if (speeds.at(-1) !== own) speeds.push(own)
  const keep = 0.5 ** (Math.max(0, nowMs - own.agedAtMs) / HALF_LIFE_MS)
  own.agedAtMs = Math.max(own.agedAtMs, nowMs)
  for (let cell = 0; cell < own.decodeMs.length; cell++) {
    own.decodeWeight[cell]! *= keep
    own.readWeight[cell]! *= keep
  }
  return own
}

/** 1 for the cell itself, a fifth for the next, a seventeenth for the one after. */
const nearness = (band: number, cellBand: number, at: number, cellOccupancy: number): number => {
  const bands = band === UNKNOWN_PROMPT ? 0 : band - cellBand
  const steps = at - cellOccupancy
  return 1 / (1 + 4 * bands * bands) / (1 + 4 * steps * steps)
}

/** Requests in flight in the middle of a band. */
const middle = (band: number): number => (band === 0 ? 1 : (2 ** (band - 1) + 1 + 2 ** band) / 2)

/** Sums of a weighted line fit. */
interface Line {
  weight: number
  x: number
  y: number
  xx: number
  xy: number
}

const newLine = (): Line => ({ weight: 0, x: 0, y: 0, xx: 0, xy: 0 })

const addToLine = (line: Line, weight: number, x: number, y: number) => {
  line.weight += weight
  line.x += weight * x
  line.y += weight * y
  line.xx += weight * x * x
  line.xy += weight * x * y
}

/** Never falling, and with less than two places to go by, level. */
const readLine = ({ weight, x, y, xx, xy }: Line, at: number): number => {
  if (weight === 0) return NaN
  const meanX = x / weight
  const meanY = y / weight
  const spread = xx / weight - meanX * meanX
  const slope = spread > 0.01 ? Math.max(0, (xy / weight - meanX * meanY) / spread) : 0
  return Math.max(meanY / 4, meanY + slope * (at - meanX))
}
