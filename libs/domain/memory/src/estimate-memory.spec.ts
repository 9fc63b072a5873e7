import { describe, expect, it } from '@jest/globals'
import { estimateMemory } from './estimate-memory.ts'
import { explainEstimate } from './explain-estimate.ts'
import type { EstimateDevice, KnownEstimate } from './memory-estimate.ts'
import type { AllocatedPlan } from './memory-plan.ts'
import type { ModelFacts } from './model-facts.ts'
import { ATTENDING, LLAMA_3_8B } from './testing/shaped-facts.ts'

const MIB = 1024 ** 2
const CPU: EstimateDevice = { deviceId: 'cpu', kind: 'cpu' }
const GPU: EstimateDevice = { deviceId: '0', kind: 'gpu', totalBytes: 24 * 1024 * MIB }
const GPUS: EstimateDevice[] = [GPU, { ...GPU, deviceId: '1' }]
const PLAN: AllocatedPlan = {
  ...{ kind: 'allocated', kvTokens: 8_192, sequences: 1, keyBytes: 2, valueBytes: 2 },
  ...{ batchTokens: 512, isWindowIgnored: false, gpuBlocks: 'all', overheadBytes: 400 * MIB },
}

const known = (
  facts: ModelFacts,
  plan: Partial<AllocatedPlan>,
  devices: readonly EstimateDevice[],
): KnownEstimate => {
  const estimate = estimateMemory(facts, { ...PLAN, ...plan }, devices)
  if (estimate.kind !== 'known') throw new Error(JSON.stringify(estimate))
  return estimate
}
const term = (estimate: KnownEstimate, name: string) =>
  estimate.terms.find((each) => each.name === name)?.bytes ?? 0

describe('the cache that llama.cpp allocates', () => {
  const kv = (plan: Partial<AllocatedPlan>, blocks = [ATTENDING]) =>
    term(
      known({ ...LLAMA_3_8B, caches: blocks, blocks: 1, blockBytes: [0] }, plan, [CPU]),
      'kv_cache',
    )

  // One block: 2,048 numbers a token, of two bytes.
  it.each<[string, Partial<AllocatedPlan>, number]>([
    ['8,192 tokens', {}, 8_192 * 4_096],
    ['300 tokens, padded to 512', { kvTokens: 300 }, 512 * 4_096],
    // 4,096 of three sequences: 1,365 each, padded to 1,536.
    ['4,096 tokens of three sequences', { kvTokens: 4_096, sequences: 3 }, 3 * 1_536 * 4_096],
    ['one cache of three', { kvTokens: 4_096, sequences: 3, isUnified: true }, 4_096 * 4_096],
    // q8_0 packs 32 numbers into 34 bytes, q4_0 into 18.
    ['q8_0', { keyBytes: 34 / 32, valueBytes: 34 / 32 }, 8_192 * 2_176],
    ['q8_0 keys and q4_0 values', { keyBytes: 34 / 32, valueBytes: 18 / 32 }, 8_192 * 1_664],
  ])('for %s', (_, plan, expected) => {
    expect(kv(plan)).toBe(expected)
  })

  const windowed = [{ ...ATTENDING, windowTokens: 512 }]
  it.each<[string, Partial<AllocatedPlan>, number]>([
    // The window and the batch: 1,024.
    ['one sequence', {}, 1_024 * 4_096],
    ['two sequences, each with its own', { sequences: 2 }, 2 * 1_024 * 4_096],
    // Three windows and one batch: 2,048.
    ['three that share it', { sequences: 3, isUnified: true }, 2_048 * 4_096],
    ['a batch of 100: 612, padded to 768', { batchTokens: 100 }, 768 * 4_096],
    ['no more than the context', { kvTokens: 256 }, 256 * 4_096],
    ['everything, when windows are ignored', { isWindowIgnored: true }, 8_192 * 4_096],
  ])('in a block with a window, for %s', (_, plan, expected) => {
    expect(kv(plan, windowed)).toBe(expected)
  })

  it('without flash attention has values as wide as the widest block', () => {
    const blocks = [ATTENDING, { ...ATTENDING, keyNumbers: 512, valueNumbers: 512, kvHeads: 4 }]
    expect(kv({}, blocks)).toBe(8_192 * 2 * (2_048 + 1_024))
    expect(kv({ hasFlashAttention: false }, blocks)).toBe(8_192 * 2 * (2_048 + 512 + 1_024))
  })

  it('has states for each sequence', () => {
    const facts = { ...LLAMA_3_8B, caches: [{ ...ATTENDING, stateBytes: 1_000 }] }
    expect(term(known(facts, { sequences: 4 }, [CPU]), 'recurrent')).toBe(4_000)
  })
})

describe('an estimate for llama.cpp', () => {
  it('on a CPU is all of it there', () => {
    const estimate = known(LLAMA_3_8B, {}, [CPU])
    expect(estimate).toMatchObject({ hostBytes: 0, isReservation: false })
    expect(estimate.perDevice).toEqual([{ deviceId: 'cpu', bytes: estimate.requiredBytes }])
    expect(term(estimate, 'weights')).toBe(LLAMA_3_8B.weightBytes)
    // 32 blocks x 8,192 tokens x 4,096 bytes: 1 GiB.
    expect(term(estimate, 'kv_cache')).toBe(1024 * MIB)
    // 3 x 14,336 + 4 x 4,096 numbers of each of 512 tokens, and a mask of 8,192 x 512 x 2.
    expect(term(estimate, 'compute')).toBe(512 * 4 * (43_008 + 16_384) + 8 * MIB)
    expect(term(estimate, 'overhead')).toBe(0)
  })

  it('on a GPU leaves the embedding on the host, and what writes its input', () => {
    const estimate = known(LLAMA_3_8B, {}, [GPU])
    // The embedding, 512 rows of 4,096 and a mask, and the logits of one sequence.
    const host = 1_050_673_152 + 512 * 4 * 4_096 + 8 * MIB + 128_256 * 4
    expect(estimate.hostBytes).toBe(host)
    expect(term(estimate, 'weights')).toBe(LLAMA_3_8B.weightBytes)
    expect(term(estimate, 'overhead')).toBe(400 * MIB)
  })

  it('has a second embedding on the GPU where it is the head too', () => {
    const tied: ModelFacts = { ...LLAMA_3_8B, isTied: true, outputBytes: 16_384 }
    const facts = { ...tied, weightBytes: LLAMA_3_8B.weightBytes - 1_050_673_152 }
    expect(term(known(facts, {}, [GPU]), 'weights')).toBe(LLAMA_3_8B.weightBytes)
    expect(term(known(facts, {}, [CPU]), 'weights')).toBe(facts.weightBytes)
  })

  it('puts the last blocks on the GPU, and the head behind them', () => {
    // 10 of 33: the head and nine blocks.
    const { perDevice } = known(LLAMA_3_8B, { gpuBlocks: 10, overheadBytes: 0 }, [GPU])
    const nine = 9 * (436_240_384 + 8_192 * 4_096) + 1_050_673_152 + 16_384
    const compute = 512 * 4 * (43_008 + 16_384) + 8 * MIB
    expect(perDevice).toEqual([{ deviceId: '0', bytes: nine + compute }])
  })

  it('splits blocks over GPUs as it is told, and by free memory when it is not', () => {
    const weightsOn = (plan: Partial<AllocatedPlan>, devices: readonly EstimateDevice[]) =>
      known({ ...LLAMA_3_8B, outputBytes: 0, weightBytes: 15_009_857_536 }, plan, devices).perDevice
    // 33 with the head: of 3 to 1 the first 25 stand in front, blocks 25 to 31 and the head behind.
    const [three, one] = weightsOn({ split: [3, 1], overheadBytes: 0 }, GPUS)
    expect(three!.bytes - one!.bytes).toBe((25 - 7) * (436_240_384 + 8_192 * 4_096))
    const free = [
      { ...GPUS[0]!, freeBytes: 30 },
      { ...GPUS[1]!, freeBytes: 10 },
    ]
    expect(weightsOn({ overheadBytes: 0 }, free)).toEqual([three, one])
  })

  it('keeps experts and cache in main memory when it is told to', () => {
    const facts = { ...LLAMA_3_8B, expertBytes: LLAMA_3_8B.caches!.map(() => 300 * MIB) }
    const all = known(facts, {}, [GPU])
    const some = known(facts, { hostExpertBlocks: 2, isCacheOnHost: true }, [GPU])
    expect(some.hostBytes - all.hostBytes).toBe(600 * MIB + 1024 * MIB)
    expect(all.requiredBytes - some.requiredBytes).toBe(600 * MIB + 1024 * MIB)
  })

  it('is not made of facts that say too little', () => {
    const { caches: _caches, ...facts } = LLAMA_3_8B
    expect(estimateMemory(facts, PLAN, [GPU])).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining("architecture 'llama'"),
    })
    expect(estimateMemory(undefined, PLAN, [GPU])).toMatchObject({ kind: 'unknown' })
  })

  it('is explained term by term', () => {
    const lines = explainEstimate(known(LLAMA_3_8B, {}, [GPU]))
    expect(lines).toEqual([
      expect.stringMatching(/^weights +14\.96 GiB {3}tensors of the files, 14\.96 GiB$/),
      expect.stringMatching(
        /^KV cache +1\.00 GiB {3}32 of 32 blocks × 1 × 8192 tokens, keys 2 and/,
      ),
      expect.stringMatching(/^compute buffer +140\.0 MiB {3}a batch of 512 tokens/),
      expect.stringMatching(
        /^output buffer +513024 bytes {3}1 sequences × 128256 logits × 4 bytes$/,
      ),
      expect.stringMatching(/^overhead +400\.0 MiB/),
      expect.stringMatching(/^sum +16\.49 GiB$/),
      expect.stringMatching(/^on device 0: 15\.49 GiB$/),
      expect.stringMatching(/^in main memory: 1018\.5 MiB$/),
    ])
  })
})

describe('the figure of an operator', () => {
  it('is taken as it is, over the devices', () => {
    expect(estimateMemory(undefined, { kind: 'unknown', bytes: 10 }, GPUS)).toMatchObject({
      ...{ kind: 'known', requiredBytes: 10, isReservation: true },
      perDevice: [
        { deviceId: '0', bytes: 5 },
        { deviceId: '1', bytes: 5 },
      ],
    })
  })

  it('is the only one of an engine that decides for itself', () => {
    expect(estimateMemory(LLAMA_3_8B, { kind: 'unknown' }, GPUS)).toMatchObject({ kind: 'unknown' })
  })
})
