import { describe, expect, it } from '@jest/globals'
import type { EngineSpec, GrantedGpu } from '@berth/supervision'
import { llamacppMemory } from './llamacpp-memory.ts'
import { engineSpec } from './testing/engine-spec.ts'

const GIB = 1_073_741_824
const gpu = (free: number): GrantedGpu => ({
  ...{ deviceId: '0', uuid: 'GPU-0', kind: 'nvidia', computeCapability: '8.9' },
  memoryFreeBytes: free * GIB,
})
const CPU = { devices: ['cpu'] }
const memory = (more: Partial<EngineSpec> = {}, of: Parameters<typeof llamacppMemory>[1] = CPU) =>
  llamacppMemory(engineSpec('llamacpp', more), of)

describe('the memory of llama-server', () => {
  it('is allocated: the context of every slot, of two bytes a number, nothing on a GPU', () => {
    expect(memory()).toEqual({
      ...{ kind: 'allocated', kvTokens: 8192, sequences: 2, keyBytes: 2, valueBytes: 2 },
      ...{ batchTokens: 512, isUnified: false, isWindowIgnored: false, hasFlashAttention: true },
      ...{ gpuBlocks: 0, overheadBytes: 0 },
    })
  })

  it.each([
    { slots: 1, contextLength: 100, kvTokens: 256 },
    // 300 become 512, and the third of each of three slots 256.
    { slots: 3, contextLength: 100, kvTokens: 768 },
    { slots: 2, contextLength: 4100, kvTokens: 8704 },
  ])('rounds contexts as llama.cpp does: %p', ({ kvTokens, ...more }) => {
    expect(memory(more)).toMatchObject({ kvTokens })
  })

  it('rounds one cache for all slots once', () => {
    const options = { kv_unified: true }
    expect(memory({ slots: 3, contextLength: 100, options })).toMatchObject({ kvTokens: 512 })
  })

  it('follows the options that change it', () => {
    const options = {
      ...{ cache_type_k: 'q8_0', cache_type_v: 'q4_0', batch_size: 128, swa_full: true },
      n_cpu_moe: 3,
    }
    expect(memory({ options })).toMatchObject({
      ...{ keyBytes: 34 / 32, valueBytes: 18 / 32, batchTokens: 128, isWindowIgnored: true },
      hostExpertBlocks: 3,
    })
  })

  it('has its layers on the GPUs of the grant, by their free memory or as told', () => {
    const two = { devices: ['0', '1'], gpus: [gpu(20), gpu(10)] }
    expect(memory({}, two)).toMatchObject({ gpuBlocks: 'all', split: [20_480, 10_240] })
    expect(memory({ options: { tensor_split: '1,3', gpu_layers: 7 } }, two)).toMatchObject({
      ...{ gpuBlocks: 7, split: [1, 3], overheadBytes: GIB / 2 },
    })
    expect(memory({}, { devices: ['0'], gpus: [gpu(20)] })).not.toHaveProperty('split')
  })
})
