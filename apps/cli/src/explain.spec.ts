import { describe, expect, it } from '@jest/globals'
import { toJob } from './explain.ts'
import { decisionText, explanationText } from './explain-text.ts'
import type { Candidate, Explanation } from './placement-client.ts'

const DECIDED = {
  ...{ pool_id: null, reason: null, predicted_end_ms: null, tie_break: null },
  ...{ pinned: false, fallback_used: false, filters: [] },
}
const candidate = (draft: Partial<Candidate>): Candidate => ({
  ...{ pool_id: 'a', rank: null, reason: null, detail: null, predicted_end_ms: 1_402 },
  ...{ active_leases: 1, slots_free: 3, is_default_hint: false, kv_warmth: false },
  score: { queue_ahead_ms: 0, first_token_ms: 400, uncached_fraction: 0.25, decode_ms: 1_300 },
  ...draft,
})

describe('what explain asks', () => {
  it('leaves out what was not said', () => {
    const options = { fallback: true, strict: false, batch: false, json: false }
    expect(toJob('m', options)).toEqual({
      ...{ model_id: 'm', placement: { allow_fallback: true }, requirements: {} },
    })
  })

  it('[004-18a] names the fields as a task does', () => {
    const job = toJob('m', {
      ...{ fallback: false, strict: true, batch: true, json: false },
      ...{ ctx: 9, pin: 'a', prefer: ['b'], minCc: 8.6, minVram: 5, devices: ['0'] },
    })
    expect(job).toEqual({
      ...{ model_id: 'm', required_ctx: 9, determinism: 'strict', priority: 'batch' },
      placement: {
        ...{ pin_pool_id: 'a', prefer_pools: ['b'], require_device_mask: ['0'] },
        allow_fallback: false,
      },
      requirements: { min_vram_bytes: 5, min_compute_cap: 8.6 },
    })
  })
})

describe('what explain prints', () => {
  it('[004-14b] is the choice, every pool with its terms or its reason', () => {
    const said: Explanation = {
      ...{ ...DECIDED, decision: 'assigned', pool_id: 'a', predicted_end_ms: 1_402 },
      ...{ tie_break: 'pool_id', predicted_start_ms: null, advice: [] },
      candidates: [
        candidate({ rank: 1, kv_warmth: true }),
        candidate({ pool_id: 'bb', reason: 'INSUFFICIENT_CTX', detail: 'has 8192' }),
      ],
    }
    expect(explanationText(said)).toEqual([
      'assigned to a, over in 1402 ms, a tie, decided by pool_id',
      '',
      '   POOL  END MS  QUEUE  FIRST  DECODE  LEASES  FREE  WHY',
      '1  a     1402    0      100    1300    1       3     warm',
      '   bb    -       -      -      -       1       3     INSUFFICIENT_CTX: has 8192',
    ])
  })

  it('ends with what would help a job that cannot run', () => {
    const said: Explanation = {
      ...{ ...DECIDED, decision: 'wait', reason: 'NO_CAPACITY', predicted_start_ms: 70 },
      ...{ advice: ['Add a pool.'], candidates: [] },
    }
    expect(explanationText(said)).toEqual([
      'wait: NO_CAPACITY, expected to start in 70 ms',
      ...['', 'There are no pools.', '', '→ Add a pool.'],
    ])
  })

  it('[004-14b] tells of a past decision how often it was taken and what was left out', () => {
    const lines = decisionText({
      ...{ ...DECIDED, decision: 'assigned', pool_id: 'a', predicted_end_ms: 9, pinned: true },
      ...{ job_id: 'j', correlation_id: 'c', model_id: 'm', decided_at: 'T', attempts: 2 },
      ...{ candidates: 4, feasible: 1, filters: [{ reason: 'NO_CAPACITY', pools: 3 }] },
    })
    expect(lines).toEqual([
      'm: assigned to a, over in 9 ms, pinned',
      'at T, decided 2 times',
      '1 of 4 pools would do; left out: 3 NO_CAPACITY',
      'job j, correlation c',
    ])
  })
})
