import { expect, it } from '@jest/globals'
import { foldSample } from './performance.ts'

it('hints start at the first sample and move a fifth of the way with each next [002-17a]', () => {
  const first = foldSample(undefined, { firstTokenMs: 100, tokensPerS: 50 })
  expect(first).toEqual({ firstTokenMs: 100, tokensPerS: 50, samples: 1 })
  expect(foldSample(first, { firstTokenMs: 200, tokensPerS: 100 })).toEqual({
    firstTokenMs: 120,
    tokensPerS: 60,
    samples: 2,
  })
})

it('what a request could not show stays as it was', () => {
  const first = foldSample(undefined, { firstTokenMs: 100, tokensPerS: 50 })
  expect(foldSample(first, {})).toEqual({ firstTokenMs: 100, tokensPerS: 50, samples: 2 })
})
