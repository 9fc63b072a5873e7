import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { findJsonFault, MAX_JSON_DEPTH, nestsTooDeep } from './json-fault.ts'

const parses = (text: string) => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
/** JSON with a few characters changed: near enough to be right in most places. */
const nearlyJson = fc
  .tuple(fc.json(), fc.nat(200), fc.string({ maxLength: 3 }), fc.nat(3))
  .map(([text, at, patch, cut]) => text.slice(0, at) + patch + text.slice(at + cut))

describe('where JSON breaks', () => {
  it('is found exactly for the texts that the platform refuses', () => {
    fc.assert(
      fc.property(fc.oneof(nearlyJson, fc.string(), fc.json({ maxDepth: 8 })), (text) => {
        expect(findJsonFault(text) === undefined).toBe(parses(text))
      }),
      { numRuns: 2_000 },
    )
  })

  it('is never before a prefix that could still become JSON', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(500), (text, at) => {
        const cut = text.slice(0, Math.min(at, text.length - 1))
        fc.pre(!parses(cut))
        expect(findJsonFault(`${cut}\u0001`)!.position).toBeLessThanOrEqual(cut.length)
      }),
    )
  })

  it.each([
    [MAX_JSON_DEPTH, false],
    [MAX_JSON_DEPTH + 1, true],
  ])('nesting of %i levels is too deep: %s', (levels, isTooDeep) => {
    const text = '['.repeat(levels) + ']'.repeat(levels)
    expect(nestsTooDeep(Buffer.from(text))).toBe(isTooDeep)
    expect(nestsTooDeep(Buffer.from(JSON.stringify({ text })))).toBe(false)
  })
})
