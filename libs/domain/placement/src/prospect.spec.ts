import { describe, expect, it } from '@jest/globals'
import { reserve } from '@berth/fleet'
import { poolSnapshot, type PoolDraft } from '@berth/fleet/testing'
import type { PoolId } from '@berth/kernel'
import { notePredictionError } from './prediction-errors.ts'
import { prospectOf } from './prospect.ts'
import type { PlacementJob } from './placement-job.ts'
import { AGELESS, fleetOf } from './testing/fleet.ts'
import { plainJob } from './testing/job.ts'

const speed = (tokensPerS: number) => ({ tokensPerS, firstTokenMs: 100, samples: 1 })
const MEASURED = ['fast', 'slow']

const look = (
  job: Partial<PlacementJob> = {},
  { slow = {}, measured = MEASURED }: { slow?: PoolDraft; measured?: readonly string[] } = {},
) => {
  const view = fleetOf(
    poolSnapshot('slow', { performance: speed(10), ...slow }),
    poolSnapshot('fast', { performance: speed(100) }),
  )
  for (const id of measured) {
    notePredictionError(view.pools.get(id as PoolId)!.evidence, 1_000, 1_000)
  }
  reserve(view, 'fast' as PoolId)
  const found = prospectOf(view, plainJob(job), AGELESS, 0)
  return found && { pool: found.pool.poolId, endMs: found.endMs, isMeasured: found.isMeasured }
}

describe('what a job without a slot can expect', () => {
  it('is the pool where it would be over first, busy or not', () => {
    expect(look()).toEqual({ pool: 'fast', endMs: 2 + 100 + 1_000, isMeasured: true })
  })

  it('is nothing where no pool could ever take it', () => {
    expect(look({ requiredCtx: 9_999_999 })).toBeUndefined()
    expect(look({ modelId: 'x' as PlacementJob['modelId'] })).toBeUndefined()
  })

  it('is the pinned pool, or one it must prefer', () => {
    const slow = { pool: 'slow', endMs: 2 + 100 + 10_000, isMeasured: true }
    expect(look({ pinPoolId: 'slow' as PoolId })).toEqual(slow)
    expect(look({ preferPools: ['slow' as PoolId] })).toEqual(slow)
    const freely = { preferPools: ['slow' as PoolId], allowFallback: true }
    expect(look(freely)).toMatchObject({ pool: 'fast' })
  })

  it('is measured when every pool it may go to serves and has served', () => {
    expect(look({}, { measured: ['fast'] })).toMatchObject({ isMeasured: false })
    expect(look({}, { slow: { isReady: false } })).toMatchObject({ isMeasured: false })
    expect(look({ pinPoolId: 'fast' as PoolId }, { measured: ['fast'] })).toMatchObject({
      isMeasured: true,
    })
  })

  it('is the first by its id among equals, whichever comes first', () => {
    const hint = { performance: speed(10) }
    for (const order of [
      ['b', 'a'],
      ['a', 'b'],
    ]) {
      const view = fleetOf(...order.map((id) => poolSnapshot(id, hint)))
      expect(prospectOf(view, plainJob(), AGELESS, 0)?.pool.poolId).toBe('a')
    }
  })
})
