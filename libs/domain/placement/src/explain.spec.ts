import { describe, expect, it } from '@jest/globals'
import { poolSnapshot } from '@berth/fleet/testing'
import { explain } from './explain.ts'
import { DEFAULT_PLACEMENT_POLICY as POLICY } from './placement-policy.ts'
import { plainJob } from './testing/job.ts'
import { rigView } from './testing/reference-rig.ts'

describe('explain', () => {
  it('[004-14b] lists every pool with its reason, the chosen one first', () => {
    const view = rigView(
      poolSnapshot('a', { isReady: false }),
      poolSnapshot('b'),
      poolSnapshot('c', { models: ['x'] }),
      poolSnapshot('d', { performance: { tokensPerS: 900, firstTokenMs: 1, samples: 3 } }),
    )
    const { decision, candidates } = explain(view, plainJob(), POLICY, 0)
    expect(decision).toMatchObject({ kind: 'assigned', pool: { poolId: 'd' } })
    expect(
      candidates.map(({ poolId, reason, rank, isDefaultHint }) => [
        poolId,
        reason,
        rank,
        isDefaultHint,
      ]),
    ).toEqual([
      ['d', 'FEASIBLE', 1, false],
      ['b', 'FEASIBLE', 2, true],
      ['a', 'POOL_UNREADY', 0, true],
      ['c', 'MODEL_INCOMPATIBLE', 0, true],
    ])
  })
})
