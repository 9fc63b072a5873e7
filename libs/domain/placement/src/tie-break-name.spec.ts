import { describe, expect, it } from '@jest/globals'
import { reserve } from '@berth/fleet'
import type { PoolDraft } from '@berth/fleet/testing'
import type { PoolId } from '@berth/kernel'
import { explain } from './explain.ts'
import type { PlacementJob } from './placement-job.ts'
import { DEFAULT_PLACEMENT_POLICY as POLICY } from './placement-policy.ts'
import { plainJob } from './testing/job.ts'
import { rigPool, rigView } from './testing/reference-rig.ts'

const A = 'a' as PoolId
const B = 'b' as PoolId
/** Speed does not count, so that every pool scores the same. */
const TIED = { ...POLICY, isPerformanceAware: false }
const speed = (tokensPerS: number) => ({
  performance: { tokensPerS, firstTokenMs: 100, samples: 1 },
})
type Row = readonly [string, string, PoolDraft, PoolDraft, Partial<PlacementJob>?, PoolId[]?]

describe('the tie-break that decided', () => {
  // Each row is tied in everything above it; `b` wins but by its id.
  it.each<Row>([
    ['[004-02b1]', 'warmth', {}, {}, { warmPoolId: B }],
    ['[004-02b2]', 'active_leases', { slotsTotal: 9 }, { slotsTotal: 2 }, {}, [A]],
    ['[004-02b2]', 'slots_free', {}, { slotsTotal: 2 }],
    ['[004-02b3]', 'vram_headroom', { vramFreeBytes: 1 }, { vramFreeBytes: 2 }],
    ['[004-02b4]', 'perf_tokens_per_s', speed(1), speed(2)],
  ])('%s is said to be %s', (...[, tieBreak, a, b, job, leases]: Row) => {
    const view = rigView(rigPool('a', a), rigPool('b', b))
    for (const poolId of leases ?? []) reserve(view, poolId)
    const said = explain(view, plainJob(job), TIED, 0)
    expect(said).toMatchObject({ tieBreak, decision: { pool: { poolId: 'b' } } })
  })

  it('[004-02b5] is said to be the id, where pools are equal in everything', () => {
    const said = explain(rigView(rigPool('b'), rigPool('a')), plainJob(), POLICY, 0)
    expect(said).toMatchObject({ tieBreak: 'pool_id', decision: { pool: { poolId: 'a' } } })
  })

  it('[004-02a] is none where scores differ', () => {
    const view = rigView(rigPool('a', speed(10)), rigPool('b', speed(20)))
    expect(explain(view, plainJob(), POLICY, 0).tieBreak).toBeUndefined()
  })

  it('is none where a preference or a seed decided, or nothing was left to compare', () => {
    const view = rigView(rigPool('a', { isStrict: true }), rigPool('b', { isStrict: true }))
    const jobs: Partial<PlacementJob>[] = [
      { preferPools: [B], allowFallback: true },
      { isStrict: true, seed: 3n },
      { pinPoolId: B },
    ]
    const ties = jobs.map((job) => explain(view, plainJob(job), POLICY, 0).tieBreak)
    expect(ties).toEqual([undefined, undefined, undefined])
  })
})
