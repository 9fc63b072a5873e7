import { describe, expect, it } from '@jest/globals'
import { poolSnapshot } from '@berth/fleet/testing'
import type { ModelId, PoolId } from '@berth/kernel'
import type { PlacementJob } from './placement-job.ts'
import { chainOf, fleetOf } from './testing/fleet.ts'
import { plainJob } from './testing/job.ts'
import { blockTokensOf, modelKey, uncachedFraction } from './warmth.ts'

const pool = fleetOf(poolSnapshot('a')).pools.get('a' as PoolId)!
const uncached = (job: Partial<PlacementJob>, held = 0) =>
  uncachedFraction(plainJob({ promptTokens: 2_000, ...job }), pool, held)

describe('the share of a prompt that a pool reads anew', () => {
  const four = { prefix: chainOf(4) }
  const warm = { warmPoolId: 'a' as PoolId }
  it.each<[string, Partial<PlacementJob>, number, number]>([
    ['all of one it holds nothing of', four, 0, 1],
    ['what is behind the blocks it holds', four, 3, 0.25],
    ['nothing of one it holds', four, 4, 0],
    ['no less than nothing', four, 9, 0],
    ['all where warmth is not wanted', { ...four, kvHint: 'cold' }, 3, 1],
    ['all of one of unknown length', { ...four, promptTokens: 0 }, 3, 1],
    ['all without a beginning that anybody could know', {}, 0, 1],
    ['nothing of a session that ran there', warm, 0, 0],
    ['what a session said since', { ...warm, warmTokens: 500 }, 0, 0.75],
    ['no less than nothing of a session', { ...warm, warmTokens: 5_000 }, 0, 0],
    ['nothing of a session of unknown length', { ...warm, promptTokens: 0 }, 0, 0],
    ['all of a session that ran elsewhere', { warmPoolId: 'b' as PoolId }, 0, 1],
  ])('is %s', (_, job, held, share) => {
    expect(uncached(job, held)).toBe(share)
  })
})

describe('the tokens of a block', () => {
  it.each([
    ['2 KiB of text where nothing is known', 0, 2_000, 512],
    ['2 KiB of text where the length is not', 4, 0, 512],
    ['their share of a whole prompt, however dense', 4, 4_000, 1_000],
    ['no more than 512 where the chain was cut', 64, 100_000, 512],
    ['their share of a cut prompt of sparse text', 64, 6_400, 100],
  ])('are %s', (_, blocks, promptTokens, tokens) => {
    expect(blockTokensOf(plainJob({ prefix: chainOf(blocks), promptTokens }))).toBe(tokens)
  })
})

describe('the number of a model', () => {
  it('is FNV-1a of its name, below 2^32', () => {
    expect(modelKey('' as ModelId)).toBe(0x811c_9dc5)
    expect(modelKey('a' as ModelId)).toBe(0xe40c_292c)
    expect(modelKey('foobar' as ModelId)).toBe(0xbf9c_f968)
  })
})
