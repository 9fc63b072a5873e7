import { describe, expect, it } from '@jest/globals'
import { poolSnapshot } from '@berth/fleet/testing'
import { place } from './place.ts'
import { AGELESS, fleetOf, grantOn } from './testing/fleet.ts'
import { plainJob } from './testing/job.ts'

const quick = { performance: { tokensPerS: 100, firstTokenMs: 500, samples: 9 } }
/** 500 ms, then 100 tokens: over after 1.5 s. */
const job = plainJob({ expectedTokens: 100 })

const startOf = (view: ReturnType<typeof fleetOf>, queueAhead: number, now: number) => {
  const decision = place(view, { ...job, queueAhead }, AGELESS, now)
  return decision.kind === 'wait' ? decision.predictedStartMs : 0
}

describe('the predicted start of a job that waits', () => {
  it('[004-09a2] is when the only lease is expected to end', () => {
    const view = fleetOf(poolSnapshot('a', quick))
    grantOn(view, 'a', job, 0)
    const [now, later] = [startOf(view, 0, 0), startOf(view, 0, 1_000)]
    expect([Math.abs(now - 1_500) < 50, now - later]).toEqual([true, 1_000])
  })

  it('[004-09a2] grows with the jobs ahead and is never 0', () => {
    const view = fleetOf(poolSnapshot('a', { ...quick, slotsTotal: 3 }))
    for (let lease = 0; lease < 3; lease++) grantOn(view, 'a', job, 0)
    const starts = [0, 1, 2, 3, 30].map((ahead) => startOf(view, ahead, 0))
    expect(starts).toEqual([...starts].sort((x, y) => x - y))
    expect(new Set(starts).size).toBe(starts.length)
    expect(startOf(view, 0, 1e6)).toBeGreaterThan(0)
  })

  it('[004-09a2] is sooner where more pools have leases that end', () => {
    const one = fleetOf(poolSnapshot('a', quick))
    const two = fleetOf(poolSnapshot('a', quick), poolSnapshot('b', quick))
    grantOn(one, 'a', job, 0)
    for (const id of ['a', 'b']) grantOn(two, id, job, 0)
    expect(startOf(two, 0, 0)).toBeLessThan(startOf(one, 0, 0))
  })

  it('is what a start usually takes where no pool is ready', () => {
    const view = fleetOf(poolSnapshot('a', { isReady: false }))
    expect(startOf(view, 0, 0)).toBe(AGELESS.unreadyMs)
  })
})
