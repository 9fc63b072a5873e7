/** Sums of a weighted fit of a straight line. */
export interface Line {
  weight: number
  x: number
  y: number
  xx: number
  xy: number
}

/** A line that was fitted. */
export interface FittedLine {
  readonly base: number
  readonly slope: number
  readonly meanY: number
}

/** Points nearer together than this share of their mean say nothing of a slope. */
const SPREAD_MIN = 0.1
/** What remains at 0, of the mean: a fit does not say that nothing takes no time. */
const BASE_MIN = 0.1

/** Of no points. */
export const newLine = (): Line => ({ weight: 0, x: 0, y: 0, xx: 0, xy: 0 })

/** Adds a point. */
export const addToLine = (line: Line, weight: number, x: number, y: number): void => {
  line.weight += weight
  line.x += weight * x
  line.y += weight * y
  line.xx += weight * x * x
  line.xy += weight * x * y
}

/**
 * The line with the least squares, never falling, and above a tenth of the mean at 0. Level with
 * less than two places to go by; undefined with none.
 */
export const readLine = ({ weight, x, y, xx, xy }: Line): FittedLine | undefined => {
  if (weight <= 0) return undefined
  const meanX = x / weight
  const meanY = y / weight
  const spread = xx / weight - meanX * meanX
  const least = (SPREAD_MIN * meanX) ** 2
  const slope = spread > 0 ? Math.max(0, (xy / weight - meanX * meanY) / (spread + least)) : 0
  const base = meanY - slope * meanX
  const floor = BASE_MIN * meanY
  if (base >= floor) return { base, slope, meanY }
  return { base: floor, slope: (meanY - floor) / meanX, meanY }
}
