import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { occupancyBand, promptBand } from './performance-bands.ts'
import { foldSample, type Performance, type Sample } from './performance.ts'

const fold = (...samples: readonly Sample[]) =>
  samples.reduce<Performance | undefined>(foldSample, undefined)!

it('[002-17a] hints start at the first sample and move a fifth of the way with each next', () => {
  const first = fold({ firstTokenMs: 100, tokensPerS: 50 })
  expect(first).toMatchObject({ firstTokenMs: 100, tokensPerS: 50, samples: 1 })
  expect(foldSample(first, { firstTokenMs: 200, tokensPerS: 100 })).toMatchObject({
    firstTokenMs: 120,
    tokensPerS: 60,
    samples: 2,
  })
})

it('what a request could not show stays as it was', () => {
  expect(fold({ firstTokenMs: 100, tokensPerS: 50 }, {})).toMatchObject({
    firstTokenMs: 100,
    tokensPerS: 50,
    samples: 2,
  })
})

it('reading is told by prompts that are long enough to show it, when they are alone', () => {
  const short = { firstTokenMs: 10, promptTokens: 20, occupancy: 1 }
  expect(fold(short).prefillTokensPerS).toBe(0)
  const long = { firstTokenMs: 100, promptTokens: 500, occupancy: 1 }
  expect(fold(long).prefillTokensPerS).toBe(5_000)
  expect(fold({ ...long, occupancy: 2 }).prefillTokensPerS).toBe(0)
})

describe('a cell', () => {
  const sample = { firstTokenMs: 100, tokensPerS: 50, promptTokens: 300, occupancy: 1 }

  it('[002-16a] keeps prompts of one length and load apart from the others', () => {
    const { cells } = fold(
      sample,
      { ...sample, tokensPerS: 100, firstTokenMs: 200 },
      { ...sample, occupancy: 3 },
      { ...sample, promptTokens: 5_000 },
    )
    expect(cells).toEqual([
      { promptBand: 1, occupancyBand: 0, tokensPerS: 60, firstTokenMs: 120, samples: 2 },
      { promptBand: 1, occupancyBand: 2, tokensPerS: 50, firstTokenMs: 100, samples: 1 },
      { promptBand: 5, occupancyBand: 0, tokensPerS: 50, firstTokenMs: 100, samples: 1 },
    ])
  })

  it('is not made of half a measurement', () => {
    for (const name of Object.keys(sample)) {
      const half = Object.fromEntries(Object.entries(sample).filter(([key]) => key !== name))
      expect(fold(half as Sample).cells).toEqual([])
    }
  })

  it('[002-16c2] is one of a hundred at most, whatever is asked', () => {
    const any = fc.record({
      firstTokenMs: fc.double({ min: 0.1, max: 1e6, noNaN: true }),
      tokensPerS: fc.double({ min: 0.1, max: 1e6, noNaN: true }),
      promptTokens: fc.oneof(fc.nat(), fc.constant(Number.MAX_SAFE_INTEGER)),
      occupancy: fc.double({ min: 0.5, max: 1e9, noNaN: true }),
    })
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 300 }), (samples) => {
        expect(fold(...samples).cells.length).toBeLessThanOrEqual(90)
      }),
      { numRuns: 30 },
    )
  })
})

it.each([
  [0, 0, 0],
  [256, 1, 0],
  [257, 1, 1],
  [512, 2, 1],
  [513, 3, 2],
  [2_048, 9, 3],
  [2_049, 9, 4],
  [10_000_000, 9, 9],
])(
  'a prompt of %d tokens beside %d requests is in the bands of the contract',
  (tokens, load, band) => {
    expect(promptBand(tokens)).toBe(band)
    expect(2 ** occupancyBand(load)).toBeGreaterThanOrEqual(load)
  },
)
