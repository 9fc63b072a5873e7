import type { PoolSnapshot } from '@berth/fleet'
import type { ModelId } from '@berth/kernel'
import { occupancyBand, typicalPrompt, UNKNOWN_PROMPT } from './performance-cells.ts'

/** Speeds a pool published; NaN for what it did not. */
export interface PublishedSpeeds {
  readonly decodeMs: number
  readonly readMs: number
}

/**
 * What the cells of a pool's snapshot say of a model near a prompt band and an occupancy: they
 * seed what is learned here, and count until it is. Their first tokens are of whole prompts, the
 * wait before them included.
 */
export const readPublished = (
  { performance }: PoolSnapshot,
  modelId: ModelId,
  [band, occupancy]: readonly [band: number, occupancy: number],
): PublishedSpeeds => {
  if (!performance?.cells) return NOTHING
  const at = occupancyBand(occupancy)
  let [sum, sumDecode, sumRead] = [0, 0, 0]
  for (const cell of performance.cells) {
    if (cell.modelId !== modelId || cell.tokensPerS <= 0) continue
    const bands = band === UNKNOWN_PROMPT ? 0 : band - cell.promptBand
    const steps = at - cell.occupancyBand
    const weight = cell.samples / ((1 + 4 * bands * bands) * (1 + 4 * steps * steps))
    sum += weight
    sumDecode += (weight * 1_000) / cell.tokensPerS
    sumRead += (weight * cell.firstTokenMs) / typicalPrompt(cell.promptBand)
  }
  return { decodeMs: sumDecode / sum, readMs: sumRead / sum }
}

const NOTHING: PublishedSpeeds = { decodeMs: NaN, readMs: NaN }
