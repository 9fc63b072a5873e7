import { describe, expect, it } from '@jest/globals'
import { release } from '@berth/fleet'
import { poolSnapshot } from '@berth/fleet/testing'
import type { PoolId } from '@berth/kernel'
import { noteRelease, noteVoid, type GrantNote } from './evidence.ts'
import { queueAheadMs } from './predict.ts'
import { fleetOf, grantOn } from './testing/fleet.ts'
import { plainJob } from './testing/job.ts'

/** One that reads 1,000 tokens a second. */
const start = () => {
  const performance = { tokensPerS: 100, firstTokenMs: 500, samples: 9, prefillTokensPerS: 1_000 }
  const view = fleetOf(poolSnapshot('a', { slotsTotal: 8, performance }))
  const pool = view.pools.get('a' as PoolId)!
  return {
    evidence: pool.evidence,
    grant: (promptTokens: number, nowMs: number) =>
      grantOn(view, 'a', plainJob({ promptTokens }), nowMs),
    end: (note: GrantNote, firstTokenMs: number, nowMs: number, isComplete = true) => {
      release(view, note.poolId)
      const measured = { tokensIn: 9, tokensOut: 0, firstTokenMs, decodeMs: 0, isComplete }
      noteRelease(view, note, measured, nowMs)
    },
    undo: (note: GrantNote, nowMs: number) => {
      release(view, note.poolId)
      noteVoid(view, note, nowMs)
    },
    ahead: (nowMs: number) => queueAheadMs(view, pool, nowMs),
  }
}

describe('what an engine still has to read', () => {
  it('is all that was granted, less with every moment', () => {
    const { grant, ahead } = start()
    const [first, second] = [grant(2_000, 0), grant(1_000, 500)]
    expect([first.queueMs, first.prefillMs]).toEqual([0, 2_000])
    expect([second.queueMs, second.prefillMs]).toEqual([1_500, 1_000])
    expect([ahead(500), ahead(2_999), ahead(3_000), ahead(9_000)]).toEqual([2_500, 1, 0, 0])
  })

  it('is what was granted since, once the last before is read', () => {
    const { grant, end, ahead } = start()
    const first = grant(2_000, 0)
    grant(1_000, 0)
    // Read in half the time: its answer is over at 1,200.
    end(first, 1_000, 1_200)
    expect(ahead(1_200)).toBe(800)
  })

  it('is later when a prompt was read later than it should', () => {
    const { grant, end, ahead } = start()
    const first = grant(2_000, 0)
    grant(1_000, 0)
    end(first, 2_500, 2_600)
    expect(ahead(2_600)).toBe(900)
  })

  it('is not moved by the first token of one that was read before a pause', () => {
    const { grant, end, ahead } = start()
    const first = grant(1_000, 0)
    grant(1_000, 5_000)
    end(first, 4_000, 5_100)
    expect(ahead(5_100)).toBe(900)
  })

  it('is not moved back by one that came before what is known', () => {
    const { grant, end, ahead } = start()
    const [first, second] = [grant(1_000, 0), grant(1_000, 0)]
    grant(1_000, 0)
    end(second, 2_400, 2_450)
    expect(ahead(2_450)).toBe(950)
    end(first, 2_440, 2_450)
    expect(ahead(2_450)).toBe(950)
  })

  it('is without what was never read of a void grant, and with what was', () => {
    const { grant, undo, ahead } = start()
    undo(grant(2_000, 0), 0)
    expect(ahead(0)).toBe(0)
    undo(grant(2_000, 10_000), 11_500)
    expect(ahead(11_500)).toBe(0)
    grant(1_000, 20_000)
    undo(grant(2_000, 20_000), 20_500)
    expect(ahead(20_500)).toBe(500)
  })
})

describe('what is open in a pool', () => {
  it('is every grant that is not over, with the moments they should be', () => {
    const { grant, end, undo, evidence } = start()
    const [first, second] = [grant(1_000, 0), grant(1_000, 0)]
    expect(evidence.openGrants).toBe(2)
    expect(evidence.openEndsMs).toBe(first.endMs + second.endMs)
    end(first, 900, 1_000)
    expect(evidence.openGrants).toBe(1)
    expect(evidence.openEndsMs).toBeCloseTo(second.endMs, 6)
    undo(second, 1_000)
    expect([evidence.openGrants, evidence.openEndsMs]).toEqual([0, 0])
  })

  it('lasts as long as grants did of late, of which those that broke off say nothing', () => {
    const { grant, end, evidence } = start()
    end(grant(1_000, 0), 900, 4_000)
    expect(evidence.meanServiceMs).toBe(4_000)
    end(grant(1_000, 10_000), 900, 12_000)
    expect(evidence.meanServiceMs).toBeCloseTo(3_800, 9)
    end(grant(1_000, 20_000), 900, 99_000, false)
    expect(evidence.meanServiceMs).toBeCloseTo(3_800, 9)
    expect(evidence.errorsNoted).toBe(2)
  })
})
