import {
  OCCUPANCY_BANDS,
  type Bias,
  type BiasOfClass,
  type FleetView,
  type ModelSpeeds,
  type SpeedClass,
} from '@berth/fleet'
import { addToLine, newLine, readLine, type FittedLine } from './line-fit.ts'
import {
  occupancyBand,
  typicalOccupancy,
  typicalPrompt,
  UNKNOWN_PROMPT,
} from './performance-cells.ts'

/** A prompt of this length counts half: of shorter ones, the step they are read in hides more. */
const STEP_TOKENS = 2_048

/** Tables follow their cells at once while a class is new, and once in this time later. */
const REFRESH_MS = 1_000
const NEW_SAMPLES = 64
/** Pools of one kind that seem less than 15 % apart are as fast as one another. */
const LUCK_LOG = 0.15

/**
 * Makes the tables of every class that learned something, when it is time to: from then on
 * decisions see it. It makes each pool's row void, so that it is not done for every request.
 */
export const refreshTables = (view: FleetView, learner: SpeedClass, nowMs: number): void => {
  const { speedRows, speedClasses } = view
  const isDue = nowMs - speedRows.refreshedAtMs >= REFRESH_MS || nowMs < speedRows.refreshedAtMs
  if (!isDue && learner.samples > NEW_SAMPLES) return
  for (const kind of speedClasses.values()) {
    if (!kind.isStale) continue
    kind.isStale = false
    kind.read.logMean = kind.read.logSum / kind.pools
    kind.decode.logMean = kind.decode.logSum / kind.pools
    for (const speeds of kind.models) makeTables(speeds)
  }
  speedRows.version += 1
  speedRows.refreshedAtMs = nowMs
}

/**
 * How many times as long as its kind a pool takes for something. What may be luck counts as none:
 * else equal pools would be preferred for it, and the one that seems fastest buried in work.
 */
export const biasFactor = ({ log }: Bias, { logMean }: BiasOfClass): number => {
  const off = log - logMean
  return Math.exp(Math.sign(off) * Math.max(0, Math.abs(off) - LUCK_LOG))
}

/** A table between two occupancies, and beyond the last along the same line. NaN: nothing known. */
export const readTable = (table: Float32Array, band: number, occupancy: number): number => {
  const row = band * OCCUPANCY_BANDS
  const upper = Math.max(1, Math.min(OCCUPANCY_BANDS - 1, upperBand(occupancy)))
  const [from, to] = [typicalOccupancy(upper - 1), typicalOccupancy(upper)]
  const [a, b] = [table[row + upper - 1]!, table[row + upper]!]
  return a + ((b - a) * (occupancy - from)) / (to - from)
}

const upperBand = (occupancy: number): number => {
  const band = occupancyBand(occupancy)
  return typicalOccupancy(band) < occupancy ? band + 1 : band
}

/**
 * Draws two lines through the cells, and fills the tables along them: milliseconds between tokens
 * by requests in flight, as each further stream adds its share to every step of a batch; and
 * milliseconds of reading a token by the length of the prompt, as each token looks back at those
 * before it. A line has two numbers to learn where cells have ninety: what is noise in one cell
 * moves no pool. Prompts of unknown length stand apart: they tell what such a prompt takes, and
 * nothing of a token.
 */
const makeTables = (speeds: ModelSpeeds) => {
  const decode = newLine()
  const read = newLine()
  const unknown = newLine()
  for (let cell = 0; cell < speeds.decodeMs.length; cell++) {
    const occupancy = cell % OCCUPANCY_BANDS
    const band = (cell - occupancy) / OCCUPANCY_BANDS
    const { decodeMs, decodeWeight, readMs, readWeight } = speeds
    addToLine(decode, decodeWeight[cell]!, typicalOccupancy(occupancy), decodeMs[cell]!)
    const tokens = typicalPrompt(band)
    if (band === UNKNOWN_PROMPT) addToLine(unknown, readWeight[cell]!, tokens, readMs[cell]!)
    else addToLine(read, readWeight[cell]! * tellingShare(tokens), tokens, readMs[cell]!)
  }
  const decodeLine = readLine(decode)
  const readingLine = readLine(read)
  const unknownLine = readLine(unknown)
  for (let band = 0; band <= UNKNOWN_PROMPT; band++) {
    const line = band === UNKNOWN_PROMPT ? unknownLine : readingLine
    for (let occupancy = 0; occupancy < OCCUPANCY_BANDS; occupancy++) {
      const place = band * OCCUPANCY_BANDS + occupancy
      speeds.decodeTable[place] = onLine(decodeLine, typicalOccupancy(occupancy))
      speeds.readTable[place] = onLine(line, typicalPrompt(band))
    }
  }
}

/** How much a short prompt says of reading: most of its time is that of a step. */
const tellingShare = (tokens: number): number => tokens ** 2 / (tokens ** 2 + STEP_TOKENS ** 2)

const onLine = (line: FittedLine | undefined, x: number): number =>
  line ? line.base + line.slope * x : NaN
