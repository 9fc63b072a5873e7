import { describe, expect, it } from '@jest/globals'
import { poolSnapshot } from '@berth/fleet/testing'
import type { PoolId } from '@berth/kernel'
import { notePredictionError, onTimeProbability } from './prediction-errors.ts'
import { fleetOf } from './testing/fleet.ts'

const poolWith = (ratios: readonly number[]) => {
  const view = fleetOf(poolSnapshot('a'))
  const pool = view.pools.get('a' as PoolId)!
  for (const ratio of ratios) notePredictionError(pool.evidence, 1_000 * ratio, 1_000)
  return (predictedEndMs: number, deadlineMs?: number) =>
    onTimeProbability(view, pool, predictedEndMs, deadlineMs)
}
const times = (count: number, ratio: number) => Array.from({ length: count }, () => ratio)

describe('the probability of being on time', () => {
  it('[004-15a] is not there without a deadline', () => {
    expect(poolWith([1])(1_000)).toBeUndefined()
  })

  it('is one half where nothing is known and the deadline is the predicted end', () => {
    expect(poolWith([])(1_000, 1_000)).toBe(0.5)
  })

  it('is nil at a deadline that is over', () => {
    expect(poolWith(times(64, 0.1))(1_000, 0)).toBe(0)
  })

  it('[004-15a] follows the share of requests that were as late', () => {
    const ratios = [...times(48, 0.9), ...times(16, 2)]
    expect(poolWith(ratios)(1_000, 1_500)).toBeCloseTo(0.75, 1)
  })

  it('rises with the deadline and falls with the prediction', () => {
    const probability = poolWith([0.5, 1, 2])
    const later = [500, 1_000, 2_000, 4_000].map((deadline) => probability(1_000, deadline)!)
    expect(later).toEqual([...later].sort((x, y) => x - y))
    expect(probability(2_000, 1_000)!).toBeLessThan(probability(500, 1_000)!)
  })

  it('forgets what was 64 requests ago', () => {
    const late = poolWith([...times(64, 0.5), ...times(64, 3)])
    expect(late(1_000, 1_000)!).toBeLessThan(0.1)
  })
})
