import { OCCUPANCY_BANDS, type FleetView, type ModelSpeeds, type SpeedClass } from '@berth/fleet'
import { occupancyBand, typicalOccupancy, UNKNOWN_PROMPT } from './performance-cells.ts'

/** Tables follow their cells at once while a class is new, and once in this time later. */
const REFRESH_MS = 1_000
const NEW_SAMPLES = 64

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
    for (const speeds of kind.models) makeTables(speeds)
  }
  speedRows.version += 1
  speedRows.refreshedAtMs = nowMs
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
 * Fills in every place out of the cells near by: a cell counts the less the more bands it is away.
 * Between tokens a line through occupancy is fitted, as each further stream adds its share to
 * every step of a batch; reading is averaged.
 */
const makeTables = (speeds: ModelSpeeds) => {
  for (let band = 0; band <= UNKNOWN_PROMPT; band++) {
    for (let occupancy = 0; occupancy < OCCUPANCY_BANDS; occupancy++) {
      const place = band * OCCUPANCY_BANDS + occupancy
      speeds.decodeTable[place] = decodeAt(speeds, band, occupancy)
      speeds.readTable[place] = readAt(speeds, band, occupancy)
    }
  }
}

/** Never falling with occupancy, and level with less than two places to go by. */
const decodeAt = ({ decodeMs, decodeWeight }: ModelSpeeds, band: number, at: number): number => {
  let [sum, sumX, sumY, sumXX, sumXY] = [0, 0, 0, 0, 0]
  for (let cell = 0; cell < decodeMs.length; cell++) {
    if (decodeWeight[cell] === 0) continue
    const occupancy = cell % OCCUPANCY_BANDS
    const weight =
      decodeWeight[cell]! *
      nearness(band === UNKNOWN_PROMPT ? 0 : band - (cell - occupancy) / OCCUPANCY_BANDS) *
      nearness(at - occupancy)
    const x = typicalOccupancy(occupancy)
    const y = decodeMs[cell]!
    sum += weight
    sumX += weight * x
    sumY += weight * y
    sumXX += weight * x * x
    sumXY += weight * x * y
  }
  if (sum === 0) return NaN
  const [meanX, meanY] = [sumX / sum, sumY / sum]
  const spread = sumXX / sum - meanX * meanX
  const slope = spread > 0.01 ? Math.max(0, (sumXY / sum - meanX * meanY) / spread) : 0
  return Math.max(meanY / 4, meanY + slope * (typicalOccupancy(at) - meanX))
}

const readAt = ({ readMs, readWeight }: ModelSpeeds, band: number, at: number): number => {
  let [sum, sumY] = [0, 0]
  for (let cell = 0; cell < readMs.length; cell++) {
    if (readWeight[cell] === 0) continue
    const occupancy = cell % OCCUPANCY_BANDS
    const weight =
      readWeight[cell]! *
      nearness(band === UNKNOWN_PROMPT ? 0 : band - (cell - occupancy) / OCCUPANCY_BANDS) *
      nearness(at - occupancy)
    sum += weight
    sumY += weight * readMs[cell]!
  }
  return sumY / sum
}

/** 1 for the place itself, a fifth for the next, a seventeenth for the one after. */
const nearness = (bands: number): number => 1 / (1 + 4 * bands * bands)
