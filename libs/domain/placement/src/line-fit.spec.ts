import { describe, expect, it } from '@jest/globals'
import { addToLine, newLine, readLine } from './line-fit.ts'

type Point = readonly [x: number, y: number, weight?: number]

const fit = (...points: readonly Point[]) => {
  const line = newLine()
  for (const [x, y, weight = 1] of points) addToLine(line, weight, x, y)
  return readLine(line)
}

describe('a line through points', () => {
  it('is not there without any', () => {
    expect(fit()).toBeUndefined()
    expect(fit([1, 5, 0])).toBeUndefined()
  })

  it('is level where all are at one place', () => {
    expect(fit([4, 10], [4, 20])).toEqual({ base: 15, slope: 0, meanY: 15 })
  })

  it('leans with the points, and a little less than they do', () => {
    const line = fit([0, 10], [100, 110])!
    // Spread 2,500 of which 25 are not believed.
    expect(line.slope).toBeCloseTo(2_500 / 2_525, 9)
    expect(line.base + 50 * line.slope).toBeCloseTo(60, 9)
    expect(line.meanY).toBe(60)
  })

  it('follows points that are near together less', () => {
    const [near, far] = [fit([90, 100], [110, 120])!, fit([0, 10], [200, 210])!]
    expect(near.slope).toBeCloseTo(100 / (100 + 100), 9)
    expect(far.slope).toBeGreaterThan(0.98)
  })

  it('never falls', () => {
    expect(fit([0, 30], [10, 10])).toEqual({ base: 20, slope: 0, meanY: 20 })
  })

  it('says at 0 no less than a tenth of the mean, and still meets the mean', () => {
    const line = fit([10, 1], [20, 100])!
    expect(line.base).toBeCloseTo(5.05, 9)
    expect(line.base + 15 * line.slope).toBeCloseTo(50.5, 9)
  })

  it('goes by the weights', () => {
    const line = fit([4, 10, 3], [4, 20, 1])!
    expect(line.meanY).toBe(12.5)
    expect(fit([0, 10, 2], [100, 110, 2])).toEqual(fit([0, 10], [100, 110]))
  })
})
