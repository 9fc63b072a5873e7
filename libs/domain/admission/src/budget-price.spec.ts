import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { costMicrosOf, toPrice } from './budget-price.ts'

describe('the price of tokens', () => {
  it('[004-09a] is exact in millionths: 0.15 a million in, 0.6 a million out', () => {
    const price = toPrice(0.15, 0.6)
    expect(costMicrosOf(price, 1_000_000, 0)).toBe(150_000)
    expect(costMicrosOf(price, 2_000, 500)).toBe(600)
    // 0.15 + 0.6 millionths: a begun one counts whole.
    expect(costMicrosOf(price, 1, 1)).toBe(1)
  })

  it('is nothing for a model without one', () => {
    expect(costMicrosOf(undefined, 1_000, 1_000)).toBe(0)
  })

  it('is whole and never falls with more tokens, so that what was reserved is enough', () => {
    const count = fc.nat(1_000_000)
    const unit = fc.float({ min: 0, max: 1_000, noNaN: true })
    fc.assert(
      fc.property(unit, unit, count, count, count, count, (input, output, a, b, c, d) => {
        const price = toPrice(input, output)
        const less = costMicrosOf(price, a, b)
        const more = costMicrosOf(price, a + c, b + d)
        expect(Number.isSafeInteger(more)).toBe(true)
        expect(more).toBeGreaterThanOrEqual(less)
      }),
    )
  })
})
