import { describe, expect, it } from '@jest/globals'
import { create } from '@bufbuild/protobuf'
import { HostSnapshotSchema, JobClass, JobSchema, PoolState } from '@berth/contract'
import { toJobSpec } from './wire-job.ts'
import { toHostSnapshot } from './wire-snapshot.ts'

const required = {
  poolId: 'p',
  engine: 'vllm',
  state: PoolState.READY,
  slotsTotal: 8,
  slotsFree: 3,
}

const poolOf = (pool: object) => {
  const pools = [{ ...required, ...pool }]
  return toHostSnapshot(create(HostSnapshotSchema, { hostId: 'h1', pools })).pools[0]!
}

describe('a pool, as its agent published it', () => {
  it('[004-17a, 004-S1] has an id, an engine and slots', () => {
    expect(poolOf({})).toMatchObject({ poolId: 'p', engine: 'vllm', slotsTotal: 8 })
  })

  it('[004-17b, 004-S1] has its memory and compute capability, and leaves out what is not known', () => {
    const memory = { vramTotalBytes: 24n * 2n ** 30n, vramFreeBytes: 2n ** 30n }
    expect(poolOf({ ...memory, computeCapability: '8.6' })).toMatchObject({
      vramTotalBytes: 24 * 2 ** 30,
      vramFreeBytes: 2 ** 30,
      computeCapability: 8.6,
    })
    for (const absent of ['vramTotalBytes', 'vramFreeBytes', 'computeCapability', 'performance']) {
      expect(poolOf({})).not.toHaveProperty(absent)
    }
  })

  it('[004-17c, 004-S2] has its speeds and what it supports', () => {
    const performance = { tokensPerS: 90, firstTokenMs: 120, samples: 4 }
    const pool = poolOf({ performance, supports: { quantizations: ['Q4_K_M', 'BF16'] } })
    expect(pool.performance).toMatchObject(performance)
    expect(pool.supports.quantizations).toEqual(['Q4_K_M', 'BF16'])
  })
})

describe('a job, as its gateway described it', () => {
  const wire = create(JobSchema, {
    modelId: 'm',
    class: JobClass.BATCH,
    expectedTokens: 300,
    requiredCtx: 9_000,
    estKvBytes: 77n,
    requirements: {
      engine: 'vllm',
      minVramBytes: 5n,
      minComputeCap: 8.6,
      quantization: 'BF16',
      requiredExtensions: ['lora'],
    },
  })

  it('[004-S3] has a class, an engine, a model, its tokens, context and cache', () => {
    expect(toJobSpec(wire)).toMatchObject({
      jobClass: 'batch',
      engine: 'vllm',
      modelId: 'm',
      expectedTokensHint: 300,
      requiredCtx: 9_000,
      estKvBytes: 77,
    })
  })

  it('[004-S4] has what it demands of a pool', () => {
    expect(toJobSpec(wire)).toMatchObject({
      minVramBytes: 5,
      minComputeCap: 8.6,
      quantization: 'BF16',
      requiredExtensions: ['lora'],
    })
  })
})
