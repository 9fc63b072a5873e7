import { describe, expect, it } from '@jest/globals'
import { add, isLimited, isNothing, NOTHING, subtract, toWhole } from './budget.ts'

const some = { tokens: 5, timeMs: 7, costMicros: 11 }

describe('amounts', () => {
  it('are added and taken away kind by kind', () => {
    const sum = add(some, { tokens: 1, timeMs: 2, costMicros: 3 })
    expect(sum).toEqual({ tokens: 6, timeMs: 9, costMicros: 14 })
    expect(subtract(sum, some)).toEqual({ tokens: 1, timeMs: 2, costMicros: 3 })
  })

  it('are nothing when every kind is', () => {
    expect(isNothing(NOTHING)).toBe(true)
    for (const kind of ['tokens', 'timeMs', 'costMicros'] as const) {
      expect(isNothing({ ...NOTHING, [kind]: 1 })).toBe(false)
    }
  })

  it.each([
    [0.4, 0],
    [1.5, 2],
    [-3, 0],
    [Number.NaN, 0],
    [Number.POSITIVE_INFINITY, 2 ** 40],
    [2 ** 50, 2 ** 40],
  ])('count a measured %d as %d', (measured, whole) => {
    expect(toWhole(measured)).toBe(whole)
  })
})

describe('a budget', () => {
  it('limits when any of its kinds does, a limit of nothing too', () => {
    expect([isLimited({}), isLimited({ costMicros: 0 }), isLimited({ tokens: 1 })]).toEqual([
      false,
      true,
      true,
    ])
  })
})
