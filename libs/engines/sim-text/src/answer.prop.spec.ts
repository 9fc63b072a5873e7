import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { expectedAnswer, expectedText, knobsFromFlags, patchKnobs, DEFAULT_KNOBS } from './index.ts'

const asks = fc.record({
  engineSeed: fc.integer(),
  requestSeed: fc.integer(),
  prompt: fc.string({ unit: 'binary' }),
  maxTokens: fc.option(fc.integer({ min: 1, max: 400 }), { nil: undefined }),
})

describe('any answer', () => {
  it('is the same twice, has as many words as tokens, and stays within max_tokens', () => {
    fc.assert(
      fc.property(asks, (request) => {
        const answer = expectedAnswer(request)
        const text = expectedText(request)
        expect(expectedText(request)).toBe(text)
        expect(text.split(' ')).toHaveLength(answer.length)
        expect(answer.length).toBeLessThanOrEqual(Math.min(request.maxTokens ?? 199, 199))
        expect(answer.finishReason === 'length' || answer.length >= 20).toBe(true)
      }),
    )
  })
})

describe('knobs', () => {
  it('never throw, whatever the command line or the patch holds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string()),
        fc.dictionary(fc.string(), fc.jsonValue()),
        (argv, patch) => {
          expect(typeof knobsFromFlags(argv).ok).toBe('boolean')
          expect(typeof patchKnobs(DEFAULT_KNOBS, patch).ok).toBe('boolean')
        },
      ),
    )
  })
})
