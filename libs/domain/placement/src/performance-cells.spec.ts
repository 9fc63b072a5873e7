import { describe, expect, it } from '@jest/globals'
import { createFleetView, foldSnapshot, OCCUPANCY_BANDS, type SpeedClass } from '@berth/fleet'
import { hostSnapshot, poolSnapshot } from '@berth/fleet/testing'
import {
  learnDecode,
  learnRead,
  occupancyBand,
  promptBand,
  speedsOf,
  speedsToLearn,
  typicalOccupancy,
  typicalPrompt,
  UNKNOWN_PROMPT,
  type SpeedSample,
} from './performance-cells.ts'

const MINUTE_MS = 60_000

const newClass = (): SpeedClass => {
  const view = createFleetView()
  foldSnapshot(view, hostSnapshot('h', [poolSnapshot('a')]), 0)
  return [...view.speedClasses.values()][0]!
}
const sampleOf = (draft: Partial<SpeedSample> = {}): SpeedSample => ({
  ...{ promptTokens: 300, occupancy: 3, ms: 10, weight: 1 },
  ...draft,
})
/** 300 tokens: the second band; three in flight: the third. */
const CELL = OCCUPANCY_BANDS + 2

describe('bands', () => {
  it.each([
    [-1, UNKNOWN_PROMPT],
    [0, UNKNOWN_PROMPT],
    [1, 0],
    [256, 0],
    [256.5, 1],
    [257, 1],
    [512, 1],
    [513, 2],
    [1_024, 2],
    [131_072, 9],
    [1e9, 9],
  ])('a prompt of %d tokens is in band %d', (tokens, band) => {
    expect(promptBand(tokens)).toBe(band)
  })

  it.each([
    [0, 0],
    [1, 0],
    [1.5, 1],
    [2, 1],
    [3, 2],
    [4, 2],
    [5, 3],
    [256, 8],
    [5_000, 8],
  ])('%d in flight are in band %d', (occupancy, band) => {
    expect(occupancyBand(occupancy)).toBe(band)
  })

  it('have their middle between their ends', () => {
    expect([0, 1, 2].map(typicalPrompt)).toEqual([192, 384, 768])
    expect([0, 1, 2, 3].map(typicalOccupancy)).toEqual([1, 2, 3.5, 6.5])
  })
})

describe('a cell', () => {
  it('is the mean of its samples by weight, for reading and writing apart', () => {
    const speeds = speedsToLearn(newClass(), 7, 0)
    learnDecode(speeds, sampleOf({ ms: 10 }))
    learnDecode(speeds, sampleOf({ ms: 40, weight: 2 }))
    learnRead(speeds, sampleOf({ ms: 4 }))
    expect([speeds.decodeMs[CELL], speeds.decodeWeight[CELL]]).toEqual([30, 3])
    expect([speeds.readMs[CELL], speeds.readWeight[CELL]]).toEqual([4, 1])
    expect(speeds.decodeWeight.filter((weight) => weight > 0)).toHaveLength(1)
  })

  it('holds no more than 64 samples against a new one', () => {
    const speeds = speedsToLearn(newClass(), 7, 0)
    for (let n = 0; n < 200; n++) learnRead(speeds, sampleOf({ ms: 0 }))
    learnRead(speeds, sampleOf({ ms: 64 }))
    expect([speeds.readMs[CELL], speeds.readWeight[CELL]]).toEqual([1, 64])
  })

  it('forgets half in ten minutes, and nothing when the clock stands or goes back', () => {
    const kind = newClass()
    const speeds = speedsToLearn(kind, 7, MINUTE_MS)
    learnRead(speeds, sampleOf())
    learnDecode(speeds, sampleOf())
    const weights = () => [speeds.readWeight[CELL], speeds.decodeWeight[CELL]]
    speedsToLearn(kind, 7, 0)
    expect(weights()).toEqual([1, 1])
    speedsToLearn(kind, 7, 11 * MINUTE_MS)
    expect(weights()).toEqual([0.5, 0.5])
    expect(speeds.agedAtMs).toBe(11 * MINUTE_MS)
  })
})

describe('the models of a class', () => {
  it('are the ones last served: who served longest ago makes room', () => {
    const kind = newClass()
    const [first] = [1, 2].map((model) => speedsToLearn(kind, model, 0))
    expect(speedsToLearn(kind, 1, 0)).toBe(first)
    speedsToLearn(kind, 3, 0)
    expect([1, 2, 3].map((model) => speedsOf(kind, model)?.model)).toEqual([1, undefined, 3])
  })
})
