import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { randomInt, randomUuid, seededRng } from './rng.ts'

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('seededRng', () => {
  it('repeats its sequence for the same seed', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const [a, b] = [seededRng(seed), seededRng(seed)]
        const draw = (rng: typeof a) => Array.from({ length: 20 }, () => rng.float())
        expect(draw(a)).toEqual(draw(b))
      }),
    )
  })

  it('stays in range for every seed and bound', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 1_000_000 }), (seed, bound) => {
        const value = randomInt(seededRng(seed), bound)
        expect(value).toBeGreaterThanOrEqual(0)
        expect(value).toBeLessThan(bound)
      }),
    )
  })

  it('makes version 4 UUIDs that differ', () => {
    const rng = seededRng(1)
    const ids = Array.from({ length: 1_000 }, () => randomUuid(rng))
    for (const id of ids) expect(id).toMatch(UUID_V4)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('spreads evenly over ten bins', () => {
    const rng = seededRng(7)
    const bins = new Array<number>(10).fill(0)
    for (let i = 0; i < 100_000; i++) bins[randomInt(rng, 10)]!++
    for (const count of bins) expect(Math.abs(count - 10_000)).toBeLessThan(500)
  })
})
