import { describe, expect, it } from '@jest/globals'
import { release, type PerformanceHint } from '@berth/fleet'
import { poolSnapshot } from '@berth/fleet/testing'
import type { ModelId, PoolId } from '@berth/kernel'
import { noteRelease } from './evidence.ts'
import { place } from './place.ts'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import { AGELESS, chainOf, fleetOf, grantOn } from './testing/fleet.ts'
import { plainJob } from './testing/job.ts'

/** 100 tokens a second, and 1,000 of a prompt. */
const MEASURED: PerformanceHint = {
  tokensPerS: 100,
  firstTokenMs: 500,
  samples: 9,
  prefillTokensPerS: 1_000,
}
/** So late that nobody counts what was read before. */
const LATE_MS = 1e8

const endOf = (view: ReturnType<typeof fleetOf>, job: PlacementJob, now = LATE_MS) => {
  const decision = place(view, job, AGELESS, now)
  return decision.kind === 'assigned' ? decision.predictedEndMs : NaN
}
const measured = (draft = {}) =>
  fleetOf(poolSnapshot('a', { slotsTotal: 8, performance: { ...MEASURED, ...draft } }))

describe('the predicted end', () => {
  it.each<[string, Partial<PerformanceHint>, Partial<PlacementJob>, number]>([
    ['the published first token of a prompt nobody measured', {}, {}, 2 + 500 + 1_000],
    ['[004-03a] the prompt at the published rate', {}, { promptTokens: 2_000 }, 2 + 2_000 + 1_000],
    ['the answer', {}, { expectedTokens: 300 }, 2 + 500 + 3_000],
  ])('counts %s', (_, performance, job, expected) => {
    expect(endOf(measured(performance), plainJob(job))).toBe(expected)
  })

  it('[004-03a] leaves out what the pool has of the prompt', () => {
    const view = measured()
    const note = grantOn(view, 'a', plainJob({ prefix: chainOf(3), promptTokens: 1_500 }))
    release(view, note.poolId)
    // Three of four blocks are there: 500 of 2,000 tokens are not.
    const job = plainJob({ prefix: chainOf(4), promptTokens: 2_000 })
    expect(endOf(view, job)).toBe(2 + 500 + 1_000)
  })

  it('[004-03a] waits for the prompts granted before, and no longer when they are read', () => {
    const view = measured()
    grantOn(view, 'a', plainJob({ promptTokens: 1_000 }), LATE_MS)
    const job = plainJob({ promptTokens: 2_000, expectedTokens: 1 })
    const [at, half, over] = [0, 500, 1_000].map((ms) => endOf(view, job, LATE_MS + ms))
    expect([at! - over!, half! - over!]).toEqual([1_000, 500])
  })

  it("takes a pool nobody measured for its device kind's default", () => {
    const job = plainJob({ promptTokens: 2_048 })
    // A CPU: 2 s for 1,024 tokens of a prompt, and five a second of the answer.
    expect(endOf(fleetOf(poolSnapshot('a')), job)).toBe(2 + 4_000 + 20_000)
  })

  it('goes by the published cell of this model, prompt and occupancy before the average', () => {
    const cell = { promptBand: 2, occupancyBand: 0, tokensPerS: 50, firstTokenMs: 76.8, samples: 5 }
    const view = measured({ cells: [{ ...cell, modelId: 'm' as ModelId }] })
    // 76.8 ms for a typical prompt of the band, 768 tokens; 1,000 tokens take 100 ms.
    expect(endOf(view, plainJob({ promptTokens: 1_000 }))).toBe(2 + 100 + 2_000)
  })

  it('ignores the cells of another model', () => {
    const cell = { promptBand: 2, occupancyBand: 0, tokensPerS: 50, firstTokenMs: 76.8, samples: 5 }
    const view = measured({ cells: [{ ...cell, modelId: 'x' as ModelId }] })
    expect(endOf(view, plainJob({ promptTokens: 1_000 }))).toBe(2 + 1_000 + 1_000)
  })
})

describe('what requests showed', () => {
  const serve = (
    view: ReturnType<typeof fleetOf>,
    firstTokenMs: number,
    msPerToken: number,
    startMs = 0,
  ) => {
    const job = plainJob({ promptTokens: 1_000 })
    const note = grantOn(view, 'a', job, startMs)
    release(view, note.poolId)
    const decodeMs = 99 * msPerToken
    const result = { tokensIn: 1_000, tokensOut: 100, firstTokenMs, decodeMs, isComplete: true }
    noteRelease(view, note, result, startMs + firstTokenMs + decodeMs)
  }

  it('replaces what was published', () => {
    const view = measured()
    serve(view, 200, 50)
    const end = endOf(view, plainJob({ promptTokens: 1_000 }))
    expect(Math.abs(end - (2 + 200 + 5_000))).toBeLessThan(100)
  })

  it('moves the prediction towards what the last requests took', () => {
    const view = measured()
    for (let n = 0; n < 200; n++) serve(view, 400, 20, n * 60_000)
    const end = endOf(view, plainJob({ promptTokens: 1_000 }))
    expect(Math.abs(end - (2 + 400 + 2_000))).toBeLessThan(100)
  })

  it('is known of other pools of the same kind as well, and of none of another', () => {
    const hint = { slotsTotal: 8, performance: MEASURED }
    const view = fleetOf(
      poolSnapshot('a', hint),
      poolSnapshot('same', hint),
      poolSnapshot('other', { ...hint, engine: 'another' }),
    )
    serve(view, 200, 50)
    const job = plainJob({ promptTokens: 1_000 })
    const [same, other] = ['same', 'other'].map((id) =>
      endOf(view, { ...job, pinPoolId: id as PoolId }),
    )
    expect([Math.abs(same! - 5_202) < 100, other]).toEqual([true, 2 + 1_000 + 1_000])
  })
})

describe('the weights of the policy', () => {
  const fast = { ...MEASURED, prefillTokensPerS: 10_000, tokensPerS: 50 }
  const view = fleetOf(
    poolSnapshot('reads fast', { performance: fast }),
    poolSnapshot('writes fast', { performance: MEASURED }),
  )
  const choose = (weights: Partial<PlacementPolicy['weights']>) => {
    const policy = { ...AGELESS, weights: { ...AGELESS.weights, ...weights } }
    const decision = place(view, plainJob({ promptTokens: 1_000 }), policy, 0)
    return decision.kind === 'assigned' ? decision.pool.poolId : decision.reason
  }

  it.each([
    ['reads fast', { decode: 0 }],
    ['writes fast', { firstToken: 0 }],
    ['writes fast', { firstToken: 1 }],
  ])('[004-29a3] choose the pool that %s with %j', (poolId, weights) => {
    expect(choose(weights)).toBe(poolId)
  })
})
