import { describe, expect, it } from '@jest/globals'
import { release, reserve } from '@berth/fleet'
import { poolSnapshot } from '@berth/fleet/testing'
import { seededRng, type PoolId } from '@berth/kernel'
import { place } from './place.ts'
import { mintSeed } from './strict.ts'
import { AGELESS, chosenIn, fleetOf } from './testing/fleet.ts'
import { plainJob } from './testing/job.ts'

const strict = (id: string) => poolSnapshot(id, { isStrict: true })
const POOLS = ['a', 'b', 'c', 'd', 'e']
const SEEDS = Array.from({ length: 200 }, (_, seed) => BigInt(seed))
const jobWith = (seed: bigint) => plainJob({ isStrict: true, seed })

describe('a strict job with a seed', () => {
  it('[004-11a][OC-CORE-1030] goes to the same pool whenever it comes, and seeds spread over the pools', () => {
    const first = SEEDS.map((seed) => chosenIn(fleetOf(...POOLS.map(strict)), jobWith(seed)))
    const reversed = fleetOf(...POOLS.toReversed().map(strict))
    expect(SEEDS.map((seed) => chosenIn(reversed, jobWith(seed)))).toEqual(first)
    expect(new Set(first)).toEqual(new Set(POOLS))
  })

  it('[004-11a] moves only when its pool is not there to take it', () => {
    const all = fleetOf(...POOLS.map(strict))
    const without = fleetOf(...POOLS.filter((id) => id !== 'c').map(strict))
    const moved = SEEDS.filter((seed) => {
      const before = chosenIn(all, jobWith(seed))
      return before !== 'c' && before !== chosenIn(without, jobWith(seed))
    })
    expect(moved).toEqual([])
  })

  it('never runs where answers do not repeat', () => {
    const view = fleetOf(strict('a'), poolSnapshot('b', { slotsTotal: 9 }))
    reserve(view, 'a' as PoolId)
    expect(place(view, jobWith(1n), AGELESS, 0).kind).toBe('wait')
  })
})

describe('the seed of a strict job that has none', () => {
  it.each(POOLS)('[004-11a] leads to the pool that placement chose: %s', (id) => {
    const view = fleetOf(...POOLS.map(strict))
    const job = plainJob({ isStrict: true })
    const moment = { policy: AGELESS, poolId: id as PoolId, now: 0 }
    const seed = mintSeed(view, job, moment, seededRng(1))
    expect(chosenIn(view, { ...job, seed })).toBe(id)
    // And once the pool has been used and is free again.
    reserve(view, id as PoolId)
    release(view, id as PoolId)
    expect(chosenIn(view, { ...job, seed })).toBe(id)
  })
})
