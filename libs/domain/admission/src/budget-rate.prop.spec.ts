import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { countAnyhow, countRequest, createRequestRate, uncountRequest } from './budget-rate.ts'

const at = (nowMs: number) => ({ arrivedAtMs: nowMs, nowMs })

describe('requests a minute', () => {
  it('are never more in any sixty seconds, and one is let in when it was told it would be', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 9_000 }), { minLength: 1, maxLength: 120 })
    fc.assert(
      fc.property(
        gaps,
        fc.integer({ min: 1, max: 8 }),
        fc.nat(1_000_000),
        (steps, limit, start) => {
          const rate = createRequestRate()
          const admitted: number[] = []
          let now = start
          for (const gap of steps) {
            now += gap
            const waitMs = countRequest(rate, limit, at(now))
            if (waitMs === 0) {
              admitted.push(now)
              continue
            }
            // Not a moment earlier, and then for certain.
            expect(countRequest(rate, limit, at(now + waitMs - 1))).toBeGreaterThan(0)
            now += waitMs
            expect(countRequest(rate, limit, at(now))).toBe(0)
            admitted.push(now)
          }
          for (const [index, first] of admitted.entries()) {
            const inWindow = admitted.slice(index).filter((other) => other < first + 60_000)
            expect(inWindow.length).toBeLessThanOrEqual(limit)
          }
        },
      ),
    )
  })

  it('do not count one that is sent again', () => {
    const rate = createRequestRate()
    expect(countRequest(rate, 1, at(500))).toBe(0)
    uncountRequest(rate, 500)
    countAnyhow(rate, 500)
    expect(countRequest(rate, 1, at(800))).toBe(60_200)
    uncountRequest(rate, 500)
    uncountRequest(rate, 500)
    expect([countRequest(rate, 1, at(900)), countRequest(rate, 1, at(900))]).toEqual([0, 60_100])
  })

  it('are taken back only in the second they came in', () => {
    const rate = createRequestRate()
    expect(countRequest(rate, 1, at(5_500))).toBe(0)
    // The same slot, 61 seconds before.
    uncountRequest(rate, 5_500 - 61_000)
    uncountRequest(rate, 6_500)
    expect(countRequest(rate, 1, at(5_900))).toBe(60_100)
  })

  it('that came too long ago to count do not take the place of those that count', () => {
    const rate = createRequestRate()
    expect(countRequest(rate, 2, at(70_000))).toBe(0)
    countAnyhow(rate, 70_000 - 61_000)
    expect([countRequest(rate, 2, at(70_500)), countRequest(rate, 2, at(70_500))]).toEqual([
      0, 60_500,
    ])
  })
})
