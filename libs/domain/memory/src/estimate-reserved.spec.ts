import { describe, expect, it } from '@jest/globals'
import { estimateMemory } from './estimate-memory.ts'
import type { EstimateDevice } from './memory-estimate.ts'
import type { ReservedPlan } from './memory-plan.ts'
import type { BlockCache, ModelFacts } from './model-facts.ts'
import { LLAMA_3_8B } from './testing/shaped-facts.ts'

const GIB = 1024 ** 3
const gpus = (count: number, gib = 24): EstimateDevice[] =>
  Array.from({ length: count }, (_, at) => ({
    ...{ deviceId: `${at}`, kind: 'gpu', totalBytes: gib * GIB },
  }))
const PLAN: ReservedPlan = {
  ...{ kind: 'reserved', share: 0.9, parallel: 1, maxTokens: 8_192 },
  ...{ kvNumberBytes: 2, overheadBytes: GIB },
}
/** 16 GB of weights, and 32 blocks of 4,096 bytes a token: 128 KiB. */
const FACTS: ModelFacts = { ...LLAMA_3_8B, format: 'safetensors', weightBytes: 16 * GIB }
const facts = (block: Partial<BlockCache>): ModelFacts => ({
  ...FACTS,
  caches: FACTS.caches!.map((each) => ({ ...each, ...block })),
})

describe('what vLLM reserves', () => {
  it('is a share of the device, and its cache what weights and overhead leave of it', () => {
    const taken = Math.floor(24 * GIB * 0.9)
    const estimate = estimateMemory(FACTS, PLAN, gpus(1))
    expect(estimate).toMatchObject({
      ...{ kind: 'known', requiredBytes: taken, hostBytes: 0, isReservation: true },
      perDevice: [{ deviceId: '0', bytes: taken }],
      terms: [
        { name: 'weights', bytes: 16 * GIB },
        { name: 'overhead', bytes: GIB },
        { name: 'kv_cache', bytes: taken - 17 * GIB },
      ],
      // 4.6 GiB of 128 KiB a token.
      kvRoomTokens: Math.floor((taken - 17 * GIB) / (128 * 1024)),
    })
  })

  it('is weights and the cache where the operator fixed that', () => {
    const estimate = estimateMemory(FACTS, { ...PLAN, kvCacheBytes: 2 * GIB }, [
      { deviceId: '0', kind: 'gpu' },
    ])
    expect(estimate).toMatchObject({ requiredBytes: 19 * GIB, kvRoomTokens: 16_384 })
  })

  it('is cut over devices, heads as well', () => {
    // 8 GiB of weights on each: 21.6 - 9 = 12.6 GiB for 64 KiB a token.
    const taken = Math.floor(24 * GIB * 0.9)
    expect(estimateMemory(FACTS, { ...PLAN, parallel: 2 }, gpus(2))).toMatchObject({
      requiredBytes: 2 * taken,
      kvRoomTokens: Math.floor((taken - 9 * GIB) / (64 * 1024)),
    })
  })

  it('has one head on each device where they are fewer than devices', () => {
    const one = facts({ keyNumbers: 128, valueNumbers: 128, kvHeads: 1 })
    const room = (parallel: number) => {
      const estimate = estimateMemory(
        { ...one, weightBytes: 0 },
        { ...PLAN, parallel },
        gpus(parallel),
      )
      return estimate.kind === 'known' && estimate.kvRoomTokens
    }
    expect(room(4)).toBe(room(1))
  })

  it('has all latent numbers on each device', () => {
    const latent = facts({ keyNumbers: 576, valueNumbers: 0, kvHeads: 0 })
    const estimate = estimateMemory(
      { ...latent, weightBytes: 0 },
      { ...PLAN, parallel: 2 },
      gpus(2),
    )
    const taken = Math.floor(24 * GIB * 0.9)
    expect(estimate).toMatchObject({
      kvRoomTokens: Math.floor(((taken - GIB) / (32 * 576 * 2 * 8_192)) * 8_192),
    })
  })

  it('of a window holds the window and a batch', () => {
    const windowed = facts({ windowTokens: 1_024 })
    // 3,072 of 8,192 tokens: room for 8 / 3 as many.
    const plan = { ...PLAN, batchTokens: 2_048 }
    const cache = Math.floor(24 * GIB * 0.9) - 17 * GIB
    expect(estimateMemory(windowed, plan, gpus(1))).toMatchObject({
      kvRoomTokens: Math.floor((cache / (3_072 * 128 * 1024)) * 8_192),
    })
  })

  it('is halved by an FP8 cache, and dealt out over the stages of a pipeline', () => {
    const half = estimateMemory(FACTS, { ...PLAN, kvNumberBytes: 1 }, gpus(1))
    const cache = Math.floor(24 * GIB * 0.9) - 17 * GIB
    expect(half).toMatchObject({ kvRoomTokens: Math.floor(cache / (64 * 1024)) })
    expect(estimateMemory(FACTS, { ...PLAN, pipeline: 2 }, gpus(2))).toMatchObject({
      kvRoomTokens: Math.floor((cache + 8 * GIB) / (64 * 1024)),
    })
  })
})

describe('what vLLM refuses', () => {
  it('is weights that do not fit, with the figures and what to change', () => {
    expect(estimateMemory(FACTS, { ...PLAN, share: 0.6 }, gpus(1))).toMatchObject({
      ...{ kind: 'refused', deviceId: '0', neededBytes: 18 * GIB },
      allowedBytes: Math.floor(24 * GIB * 0.6),
      reason: expect.stringMatching(
        /16\.00 GiB and 1\.00 GiB .* 14\.40 GiB \(60 % of device 0\).*tensor_parallel_size/,
      ),
    })
  })

  it('is a context whose cache does not fit, with the longest that does', () => {
    const plan = { ...PLAN, maxTokens: 131_072 }
    // 21.6 - 17 = 4.6 GiB of 128 KiB.
    const longest = Math.floor((Math.floor(24 * GIB * 0.9) - 17 * GIB) / (128 * 1024))
    expect(estimateMemory(FACTS, plan, gpus(1))).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining(`max_model_len to ${longest} at most`),
    })
    expect(estimateMemory(FACTS, { ...plan, maxTokens: longest }, gpus(1)).kind).toBe('known')
    expect(estimateMemory(FACTS, { ...plan, maxTokens: longest + 1 }, gpus(1)).kind).toBe('refused')
  })

  it('is nothing where the files do not tell what a token takes', () => {
    const { caches: _caches, ...few } = FACTS
    const estimate = estimateMemory(few, PLAN, gpus(1))
    expect(estimate.kind).toBe('known')
    expect(estimate).not.toHaveProperty('kvRoomTokens')
  })

  it('is not known of devices whose memory is not', () => {
    expect(estimateMemory(FACTS, PLAN, [{ deviceId: '0', kind: 'gpu' }])).toMatchObject({
      ...{ kind: 'unknown', reason: 'The memory of device 0 is not known.' },
    })
    expect(estimateMemory(FACTS, PLAN, [{ deviceId: 'cpu', kind: 'cpu' }]).kind).toBe('unknown')
  })
})
