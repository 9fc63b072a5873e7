import { describe, expect, it } from '@jest/globals'
import { release, reserve } from '@berth/fleet'
import { poolSnapshot } from '@berth/fleet/testing'
import type { PoolId } from '@berth/kernel'
import { noteVoid } from './evidence.ts'
import { place } from './place.ts'
import { AGELESS, chainOf, chosenIn, fleetOf, grantOn } from './testing/fleet.ts'
import { plainJob } from './testing/job.ts'

const b = 'b' as PoolId
const slots = { slotsTotal: 2 }
const three = () => fleetOf(...['a', 'b', 'c'].map((id) => poolSnapshot(id, slots)))
/** Whatever was granted at 0 is read by then. */
const LATE_MS = 1e6

describe('warmth', () => {
  const warmed = () => {
    const view = three()
    const note = grantOn(view, 'b', plainJob({ prefix: chainOf(4), promptTokens: 2_048 }))
    release(view, note.poolId)
    return view
  }
  const prompt = plainJob({ prefix: chainOf(5), promptTokens: 2_560 })

  it('of a prompt draws it to the pool that has its beginning', () => {
    expect(chosenIn(warmed(), prompt, AGELESS, LATE_MS)).toBe('b')
  })

  it('[004-10a] is ignored by a job that says cold', () => {
    expect(chosenIn(warmed(), { ...prompt, kvHint: 'cold' }, AGELESS, LATE_MS)).toBe('a')
  })

  it('counts in no score where the policy says so', () => {
    const policy = { ...AGELESS, hasPrefixAffinity: false }
    expect(chosenIn(warmed(), prompt, policy, LATE_MS)).toBe('a')
  })

  it('does not keep a prompt from a pool that has nothing to read, where the queue costs more', () => {
    const view = warmed()
    grantOn(view, 'b', plainJob({ promptTokens: 200_000 }), LATE_MS)
    expect(chosenIn(view, prompt, AGELESS, LATE_MS)).toBe('a')
  })

  it('of a session counts for all of its prompt where nobody knows what it begins with', () => {
    const job = plainJob({ promptTokens: 2_048, warmPoolId: b })
    expect(chosenIn(three(), job)).toBe('b')
  })

  it('of a session counts for what was said there', () => {
    // Half of the prompt is new: what is saved is worth less than the wait, the whole would be.
    const view = three()
    const job = plainJob({ promptTokens: 2_048, warmTokens: 1_024, warmPoolId: b })
    grantOn(view, 'b', plainJob({ promptTokens: 3_000 }))
    expect(chosenIn(view, job)).toBe('a')
  })
})

describe('a job that asks to reuse its cache', () => {
  const job = plainJob({ promptTokens: 100, kvHint: 'reuse', warmPoolId: b, expectedTokens: 10 })

  it('[004-10a][ORCH-3009] goes to the pool of its session, although another is done sooner', () => {
    const view = three()
    grantOn(view, 'b', plainJob({ promptTokens: 2_000 }))
    const quick = { ...AGELESS, reuseWaitMs: 1 }
    expect([chosenIn(view, job), chosenIn(view, job, quick)]).toEqual(['b', 'a'])
  })

  it('[004-10a] waits for it while that is bounded, and then does not', () => {
    const view = fleetOf(poolSnapshot('a'), poolSnapshot('b'))
    grantOn(view, 'b', plainJob({ promptTokens: 100, expectedTokens: 10 }))
    expect(place(view, job, AGELESS, 1)).toMatchObject({ kind: 'wait', reason: 'NO_CAPACITY' })
    expect(chosenIn(view, { ...job, waitedMs: 4_900 })).toBe('a')
    expect(chosenIn(view, job, { ...AGELESS, reuseWaitMs: 100 })).toBe('a')
  })

  it('goes elsewhere when its pool cannot serve', () => {
    const view = fleetOf(poolSnapshot('a'), poolSnapshot('b', { isReady: false }))
    expect(chosenIn(view, job)).toBe('a')
  })

  it('goes elsewhere when it must not go there', () => {
    expect(chosenIn(three(), { ...job, avoidPools: [b] })).toBe('a')
  })
})

describe('a grant that was void', () => {
  it('leaves nothing to wait for', () => {
    const view = three()
    const note = grantOn(view, 'a', plainJob({ promptTokens: 4_000 }))
    reserve(view, b)
    reserve(view, 'c' as PoolId)
    expect(chosenIn(view, plainJob({ promptTokens: 10 }))).toBe('b')
    noteVoid(view, note, 1)
    release(view, note.poolId)
    expect(chosenIn(view, plainJob({ promptTokens: 10 }))).toBe('a')
  })
})
