import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { release, reserve, type FleetView, type PoolView } from '@berth/fleet'
import { poolSnapshot } from '@berth/fleet/testing'
import type { PoolId } from '@berth/kernel'
import { noteRelease, type GrantNote } from './evidence.ts'
import { ask, isFeasible } from './judge.ts'
import { leastOfScore } from './least-score.ts'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import { scoreMs } from './predict.ts'
import { breakTie } from './tie-break.ts'
import { AGELESS, chainOf, fleetOf, grantOn } from './testing/fleet.ts'
import { plainJob } from './testing/job.ts'
import { workloadOf } from './workload.ts'

const IDS = Array.from({ length: 12 }, (_, n) => `p${n}`)

const stepArbitrary = fc.record({
  promptTokens: fc.constantFrom(0, 100, 1_500, 9_000),
  expectedTokens: fc.constantFrom(1, 100, 2_000),
  root: fc.integer({ min: 1, max: 3 }),
  kvHint: fc.constantFrom('none' as const, 'cold' as const),
  passedMs: fc.constantFrom(0, 50, 5_000, 200_000),
  ends: fc.boolean(),
  otherDefaults: fc.boolean(),
})
const poolArbitrary = fc.record({
  slotsTotal: fc.integer({ min: 1, max: 3 }),
  isDraining: fc.boolean(),
  engine: fc.constantFrom('vllm', 'llama.cpp'),
  speed: fc.constantFrom({}, { performance: { tokensPerS: 30, firstTokenMs: 200, samples: 9 } }),
})

/** What `leastOfScore` is a quicker way to. */
const plainScan = (
  view: FleetView,
  job: PlacementJob,
  policy: PlacementPolicy,
  now: number,
): PoolView | undefined => {
  const question = ask(view, job, policy, now)
  const work = workloadOf(view, job, policy, now)
  const feasible = [...view.pools.values()].filter((pool) => isFeasible(question, pool))
  return feasible.sort((a, b) => scoreMs(work, a) - scoreMs(work, b) || breakTie(a, b, work))[0]
}

const endOldest = (view: FleetView, open: GrantNote[], now: number) => {
  const note = open.shift()
  if (!note) return
  release(view, note.poolId)
  const times = { firstTokenMs: 300, decodeMs: 20 * note.job.expectedTokens }
  const tokensOut = note.job.expectedTokens
  noteRelease(view, note, { tokensIn: 9, tokensOut, ...times, isComplete: true }, now)
}

describe('the pool of the least score', () => {
  it('is the one a plain scan of all finds, whatever was granted and learned before', () => {
    const pools = fc.array(poolArbitrary, { minLength: 1, maxLength: IDS.length })
    const steps = fc.array(stepArbitrary, { maxLength: 25 })
    fc.assert(
      fc.property(pools, steps, fc.boolean(), (drafts, journey, isPerformanceAware) => {
        const view = fleetOf(
          ...drafts.map(({ speed, ...draft }, n) => poolSnapshot(IDS[n]!, { ...draft, ...speed })),
        )
        const open: GrantNote[] = []
        let now = 0
        for (const { passedMs, ends, root, otherDefaults, ...draft } of journey) {
          now += passedMs
          if (ends) endOldest(view, open, now)
          const { cpu, ...others } = AGELESS.defaultSpeeds
          const defaultSpeeds = otherDefaults ? { cpu, ...others } : AGELESS.defaultSpeeds
          const policy = { ...AGELESS, isPerformanceAware, defaultSpeeds }
          const blocks = Math.floor(draft.promptTokens / 512)
          const job = plainJob({ ...draft, prefix: chainOf(blocks, root) })
          const question = ask(view, job, policy, now)
          const all = [...view.pools.values()]
          const found = leastOfScore(question, workloadOf(view, job, policy, now), all)
          expect(found?.poolId).toBe(plainScan(view, job, policy, now)?.poolId)
          if (found) open.push(grantOn(view, found.poolId, job, now))
        }
      }),
    )
  })

  it('counts a slot that was taken since the pool was looked at last', () => {
    const view = fleetOf(...['a', 'b'].map((id) => poolSnapshot(id, { slotsTotal: 4 })))
    const job = plainJob({ expectedTokens: 100 })
    const chosen = () =>
      leastOfScore(ask(view, job, AGELESS, 0), workloadOf(view, job, AGELESS, 0), [
        ...view.pools.values(),
      ])?.poolId
    expect(chosen()).toBe('a')
    reserve(view, 'a' as PoolId)
    expect(chosen()).toBe('b')
  })
})
