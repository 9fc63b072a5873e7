import { describe, expect, it } from '@jest/globals'
import type { Answer } from '@berth/sim-text'
import fc from 'fast-check'
import { endAtStop } from './end-at-stop.ts'

const answerOf = (words: readonly string[]): Answer => ({
  length: words.length,
  finishReason: 'length',
  tokenAt: (index) => (index === 0 ? '' : ' ') + words[index]!,
})
const textOf = (answer: Answer) =>
  Array.from({ length: answer.length }, (_, index) => answer.tokenAt(index)).join('')

describe('an answer that is to stop at a text', () => {
  it.each([
    ['one two three', ['two'], 'one '],
    ['one two three', ['wo'], 'one t'],
    ['one two three', ['one'], ''],
    ['one two three', ['e tw'], 'on'],
    ['one two three', ['three', 'two'], 'one '],
  ])('of "%s" at %p is "%s"', (text, stops, said) => {
    const answer = endAtStop(answerOf(text.split(' ')), stops)
    expect(textOf(answer)).toBe(said)
    expect(answer.finishReason).toBe('stop')
  })

  it('is whole where the text does not come', () => {
    const answer = answerOf(['one', 'two'])
    expect(endAtStop(answer, ['three'])).toBe(answer)
    expect(endAtStop(answer, [])).toBe(answer)
  })

  it('ends where the text of the whole answer has the first of them', () => {
    const words = fc.array(fc.constantFrom('a', 'ab', 'bab', 'c'), { minLength: 1, maxLength: 8 })
    const stops = fc.array(fc.constantFrom('a', 'b a', 'bab', 'c', 'x'), {
      minLength: 1,
      maxLength: 3,
    })
    fc.assert(
      fc.property(words, stops, (said, at) => {
        const answer = answerOf(said)
        const whole = textOf(answer)
        // What comes whole first ends it, as an engine sees one token after the other.
        const ends = said.map((_, n) => textOf(answerOf(said.slice(0, n + 1))))
        const seen = ends.find((text) => at.some((stop) => text.includes(stop))) ?? whole
        const cuts = at.map((stop) => seen.indexOf(stop)).filter((cut) => cut >= 0)
        const expected = cuts.length === 0 ? whole : seen.slice(0, Math.min(...cuts))
        expect(textOf(endAtStop(answer, at))).toBe(expected)
      }),
    )
  })
})
