import { describe, expect, it } from '@jest/globals'
import { poolSnapshot } from '@berth/fleet/testing'
import type { PoolId } from '@berth/kernel'
import { addReading, readingShare, stretchOf } from './reading-share.ts'
import { fleetOf } from './testing/fleet.ts'

const start = () => {
  const view = fleetOf(poolSnapshot('a'), poolSnapshot('b'))
  const [a, b] = ['a', 'b'].map((id) => view.pools.get(id as PoolId)!)
  return {
    add: (ms: number, now: number) => addReading(view, a!, ms, now),
    share: (now: number) => readingShare(view, a!, now),
    stretch: (now: number) => stretchOf(view, a!, now),
    ofAnother: (now: number) => readingShare(view, b!, now),
  }
}

describe("the share of an engine's time that goes into reading", () => {
  it('is none of what was never given a prompt', () => {
    const { share, stretch } = start()
    expect([share(1_000), stretch(1_000)]).toEqual([0, 1])
  })

  it('is what was read of the last hundred seconds, in that pool alone', () => {
    const { add, share, stretch, ofAnother } = start()
    add(10_000, 0)
    add(15_000, 0)
    expect(share(0)).toBeCloseTo(0.25, 9)
    expect(stretch(0)).toBeCloseTo(1 / 0.75, 9)
    expect(ofAnother(0)).toBe(0)
  })

  it('fades as time goes on, whether more comes or not', () => {
    const { add, share, stretch } = start()
    add(20_000, 0)
    // Close to exp(-1).
    expect(share(100_000)).toBeCloseTo(0.2 / 2.5, 9)
    expect(stretch(100_000)).toBeCloseTo(1 / (1 - 0.08), 9)
    add(10_000, 100_000)
    expect(share(100_000)).toBeCloseTo(0.2 * Math.exp(-1) + 0.1, 9)
  })

  it('is no more than three fifths, and no less than none', () => {
    const { add, share, stretch } = start()
    add(500_000, 0)
    expect(share(0)).toBe(0.6)
    expect(stretch(0)).toBeCloseTo(2.5, 9)
    add(-900_000, 0)
    expect([share(0), stretch(0)]).toEqual([0, 1])
  })

  it('loses nothing when the clock goes back', () => {
    const { add, share, stretch } = start()
    add(10_000, 5_000)
    expect(share(0)).toBeCloseTo(0.1, 9)
    expect(stretch(0)).toBeCloseTo(1 / 0.9, 9)
    add(10_000, 0)
    expect(share(0)).toBeCloseTo(0.2, 9)
  })
})
