import { describe, expect, it } from '@jest/globals'
import { JobClass, KvHint, type Job } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { startGateway } from '../testing/gateway-rig.ts'
import { startScriptedCore, type CoreScript } from '../testing/scripted-core.ts'

const EXPLAIN = '/v1/placement/explain'

const start = async (script: Partial<CoreScript>) => {
  const core = await startScriptedCore({ onAcquire: () => undefined, ...script })
  const gateway = await startGateway([core.address])
  return {
    ...gateway,
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]()
      await core[Symbol.asyncDispose]()
    },
  }
}

describe('POST /v1/placement/explain', () => {
  it('[004-18a][004-18b] passes on every field of a job', async () => {
    const asked: (Job | undefined)[] = []
    await using gateway = await start({ onExplain: (job) => (asked.push(job), {}) })
    const response = await gateway.post(EXPLAIN, {
      job: {
        ...{ model_id: 'm', workload: 'embedding', engine: 'vllm', priority: 'batch' },
        ...{ required_ctx: 20_000, max_tokens: 64, expected_tokens: 32, prompt_tokens: 900 },
        ...{ deadline_ms: 5_000, session_id: 's', kv_hint: 'reuse', est_kv_bytes: 7 },
        ...{ determinism: 'strict', seed: 9, sampler_profile_version: 'p', model_digest: 'd' },
        placement: {
          ...{ mode: 'prefer', prefer_pools: ['a'], avoid_pools: ['b'] },
          ...{ require_device_mask: ['0', '1'], allow_fallback: false },
        },
        requirements: {
          ...{ min_vram_bytes: 8, quantization: 'Q8_0', min_compute_cap: '8.6' },
          required_extensions: ['tools'],
        },
      },
    })
    expect(response.status).toBe(200)
    expect(asked[0]).toMatchObject({
      ...{ modelId: 'm', route: '/v1/embeddings', class: JobClass.BATCH, requiredCtx: 20_000 },
      ...{ maxTokens: 64, expectedTokens: 32, promptTokens: 900, deadlineMs: 5_000 },
      ...{ sessionId: 's', kvHint: KvHint.REUSE, estKvBytes: 7n, isStrict: true, seed: 9n },
      ...{ samplerProfileVersion: 'p', engineVersion: '', modelDigest: 'd', tenant: 'default' },
      placement: {
        ...{ pinPoolId: '', preferPools: ['a'], avoidPools: ['b'] },
        ...{ requireDeviceMask: ['0', '1'], allowFallback: false },
      },
      requirements: {
        ...{ minVramBytes: 8n, quantization: 'Q8_0', minComputeCap: 8.6 },
        ...{ requiredExtensions: ['tools'], engine: 'vllm' },
      },
    })
  })

  it('[004-14b] answers in the names of the API, with null for what does not apply', async () => {
    await using gateway = await start({
      onExplain: () => ({
        ...{ decision: 'impossible', reason: 'INSUFFICIENT_CTX', advice: ['Ask for less.'] },
        filters: [{ reason: 'INSUFFICIENT_CTX', pools: 1 }],
        candidates: [
          {
            ...{ poolId: 'a', reason: 'INSUFFICIENT_CTX', detail: 'has 8192', slotsFree: 2 },
            ...{ predictedEndMs: 412, perfTokensPerS: 33.333, vramHeadroomBytes: 5n },
            score: { admissionMs: 2, firstTokenMs: 100, uncachedFraction: 0.25, decodeMs: 385.04 },
          },
        ],
      }),
    })
    const response = await gateway.post(EXPLAIN, { job: { model_id: 'm' } })
    expect(await response.json()).toEqual({
      ...{ object: 'placement.explanation', decision: 'impossible', pool_id: null },
      ...{ reason: 'INSUFFICIENT_CTX', predicted_start_ms: null, predicted_end_ms: null },
      ...{ tie_break: null, pinned: false, fallback_used: false, advice: ['Ask for less.'] },
      filters: [{ reason: 'INSUFFICIENT_CTX', pools: 1 }],
      candidates: [
        {
          ...{ pool_id: 'a', rank: null, feasible: false, reason: 'INSUFFICIENT_CTX' },
          ...{ detail: 'has 8192', predicted_end_ms: 412, active_leases: 0, slots_free: 2 },
          ...{ is_default_hint: false, kv_warmth: false, vram_headroom_bytes: 5 },
          perf_tokens_per_s: 33.3,
          score: {
            ...{ admission_ms: 2, queue_ahead_ms: 0, first_token_ms: 100 },
            ...{ uncached_fraction: 0.25, decode_ms: 385, cached_blocks: 0, prompt_blocks: 0 },
          },
        },
      ],
    })
  })

  it('names the field that is wrong', async () => {
    await using gateway = await start({})
    const wrong: readonly (readonly [unknown, string])[] = [
      [{}, 'job'],
      [{ job: {} }, 'job.model_id'],
      [{ job: { model_id: 'm', required_ctx: 'x' } }, 'job.required_ctx'],
      [{ job: { model_id: 'm', max_tokens: -1 } }, 'job.max_tokens'],
      [{ job: { model_id: 'm', ctx: 1 } }, 'job.ctx'],
      [{ job: { model_id: 'm', placement: { mode: 'pin' } } }, 'job.placement.pin_pool_id'],
      [{ job: { model_id: 'm', placement: { mode: 'prefer' } } }, 'job.placement.prefer_pools'],
      [
        { job: { model_id: 'm', placement: { mode: 'auto', pin_pool_id: 'a' } } },
        'job.placement.pin_pool_id',
      ],
      [
        { job: { model_id: 'm', requirements: { min_compute_cap: 'new' } } },
        'job.requirements.min_compute_cap',
      ],
      ['[]', 'body'],
      ['{', 'body'],
    ]
    for (const [body, param] of wrong) {
      const response = await gateway.post(EXPLAIN, body)
      const { error } = (await response.json()) as { error: Record<string, unknown> }
      expect({ status: response.status, ...error }).toMatchObject({
        ...{ status: 400, code: 'INVALID_PARAMS', param },
        message: expect.stringContaining(param === 'body' ? 'body' : param),
      })
    }
  })
})

describe('GET /v1/placement/decisions/{id}', () => {
  it('[004-14b] says what was decided for a job or a correlation id', async () => {
    await using gateway = await start({
      onGetDecision: (id) => ({
        ...{ jobId: 'j', correlationId: id, modelId: 'm', decidedAtMs: 1_000n, attempts: 3 },
        ...{ decision: 'assigned', poolId: 'a', predictedEndMs: 9, candidates: 4, feasible: 2 },
        ...{ tieBreak: 'pool_id', filters: [{ reason: 'NO_CAPACITY', pools: 2 }] },
      }),
    })
    const response = await fetch(`${gateway.url}/v1/placement/decisions/c-1`)
    expect(await response.json()).toEqual({
      ...{ object: 'placement.decision', job_id: 'j', correlation_id: 'c-1', model_id: 'm' },
      ...{ decided_at: '1970-01-01T00:00:01.000Z', attempts: 3, decision: 'assigned' },
      ...{ pool_id: 'a', reason: null, predicted_end_ms: 9, tie_break: 'pool_id' },
      ...{ pinned: false, fallback_used: false, candidates: 4, feasible: 2 },
      filters: [{ reason: 'NO_CAPACITY', pools: 2 }],
    })
  })

  it('is 404 for what core does not remember', async () => {
    await using gateway = await start({
      onGetDecision: (id) => {
        throw new BerthError('DECISION_NOT_FOUND', `No decision of ${id} is remembered.`)
      },
    })
    const response = await fetch(`${gateway.url}/v1/placement/decisions/none`)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ error: { code: 'DECISION_NOT_FOUND' } })
  })
})
