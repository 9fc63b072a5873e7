import { describe, expect, it } from '@jest/globals'
import type { ModelId, PoolId } from '@berth/kernel'
import { createFleetView, type PoolView } from './fleet-view.ts'
import { foldSnapshot } from './fold-snapshot.ts'
import { estKvBytesOf, kvBytes, type KvDemand } from './kv-bytes.ts'
import type { ModelDimensions } from './pool-snapshot.ts'
import { hostSnapshot, poolSnapshot } from './testing/snapshots.ts'

const dimensions = (draft: Partial<ModelDimensions>): ModelDimensions => ({
  layers: 32,
  kvHeads: 8,
  keyDim: 128,
  valueDim: 128,
  kvDtypeBytes: 2,
  windowLayers: 0,
  windowTokens: 0,
  latentDim: 0,
  ...draft,
})

/** Each from the `config.json` its maker published; sums worked by hand. */
const MODELS: readonly (readonly [string, Partial<ModelDimensions>, number, number])[] = [
  // 32 layers x 8 heads x 256 x 2 B = 131,072 B a token; x 8,192 = 1 GiB.
  ['Llama 3 8B at 8,192', {}, 8_192, 1_073_741_824],
  // 80 x 8 x 256 x 2 = 327,680 B a token; x 8,192 = 2.5 GiB.
  ['Llama 3 70B at 8,192', { layers: 80 }, 8_192, 2_684_354_560],
  // 36 x 8 x 256 x 2 = 147,456 B a token; x 32,768 = 4.5 GiB.
  ['Qwen3 8B at 32,768', { layers: 36 }, 32_768, 4_831_838_208],
  // No shared heads: 32 x 32 x 256 x 2 = 524,288 B a token; x 4,096 = 2 GiB.
  ['Llama 2 7B at 4,096', { kvHeads: 32 }, 4_096, 2_147_483_648],
  // Version 0.1: all 32 layers look back 4,096: 131,072 x 4,096 = 512 MiB, however long it gets.
  ['Mistral 7B v0.1 at 32,768', { windowLayers: 32, windowTokens: 4_096 }, 32_768, 536_870_912],
  // Below the window it counts as any other: 131,072 x 1,000.
  ['Mistral 7B v0.1 at 1,000', { windowLayers: 32, windowTokens: 4_096 }, 1_000, 131_072_000],
  // 48 layers, 8 x 512 x 2 = 8,192 B each; every sixth sees all: 8 x 8,192 x 32,768 = 2 GiB, the
  // other 40 see 1,024: 40 x 8,192 x 1,024 = 320 MiB.
  [
    'Gemma 3 12B at 32,768',
    { layers: 48, keyDim: 256, valueDim: 256, windowLayers: 40, windowTokens: 1_024 },
    32_768,
    2_147_483_648 + 335_544_320,
  ],
  // 61 layers x (512 latent + 64 rope) x 2 = 70,272 B a token, however many heads; x 8,192.
  [
    'DeepSeek-V3 at 8,192',
    { layers: 61, kvHeads: 128, keyDim: 192, latentDim: 576 },
    8_192,
    575_668_224,
  ],
  // q8_0 keeps 32 numbers in 34 B: 1,073,741,824 / 2 x 34 / 32.
  ['Llama 3 8B with a q8_0 cache', { kvDtypeBytes: 34 / 32 }, 8_192, 570_425_344],
  // q4_0 keeps 32 numbers in 18 B: 65,536 numbers x 18 / 32 = 36,864 B a token.
  ['Llama 3 8B with a q4_0 cache', { kvDtypeBytes: 18 / 32 }, 1, 36_864],
  ['no tokens', {}, 0, 0],
]

describe('the size of a KV cache', () => {
  it.each(MODELS)('[004-01c][004-28a] of %s', (_, draft, tokens, bytes) => {
    expect(kvBytes(dimensions(draft), tokens)).toBe(bytes)
  })

  it('is whole bytes, rounded up', () => {
    const odd = dimensions({ layers: 1, kvHeads: 1, keyDim: 1, valueDim: 0, kvDtypeBytes: 0.5625 })
    expect(kvBytes(odd, 1)).toBe(1)
  })

  it('takes a window without tokens for none, and no more windows than layers', () => {
    expect(kvBytes(dimensions({ windowLayers: 32 }), 10)).toBe(1_310_720)
    expect(kvBytes(dimensions({ windowLayers: 99, windowTokens: 4 }), 10)).toBe(524_288)
  })
})

describe('what a job is expected to cache in a pool', () => {
  const demand = (draft: Partial<KvDemand>): KvDemand => ({
    modelId: 'm' as ModelId,
    requiredCtx: 0,
    promptTokens: 0,
    expectedTokens: 100,
    ...draft,
  })
  /** 131,072 bytes a token, alone in its pool or next to another. */
  const pool = (...others: readonly string[]): PoolView => {
    const view = createFleetView()
    const draft = poolSnapshot('p', { models: ['m', ...others] })
    const models = draft.models.map((model) =>
      model.modelId === 'm' ? { ...model, dimensions: dimensions({}) } : model,
    )
    foldSnapshot(view, hostSnapshot('h', [{ ...draft, models }]), 0)
    return view.pools.get('p' as PoolId)!
  }
  const TOKEN = 131_072

  it.each<[string, Partial<KvDemand>, number]>([
    ['what it says itself', { estKvBytes: 7, requiredCtx: 10 }, 7],
    ['nothing, when it says so', { estKvBytes: 0, requiredCtx: 10 }, 0],
    ['the context it asks for', { requiredCtx: 10, promptTokens: 900 }, 10 * TOKEN],
    ['its prompt and the most it may produce', { promptTokens: 5, maxTokens: 20 }, 25 * TOKEN],
    ['its prompt and what it is expected to produce', { promptTokens: 5 }, 105 * TOKEN],
    ['no more than a slot has', { promptTokens: 5, maxTokens: 1_000_000 }, 4_096 * TOKEN],
    ['nothing of a model without dimensions', { modelId: 'x' as ModelId, requiredCtx: 10 }, 0],
  ])('[004-01c][004-28a] is %s', (_, draft, bytes) => {
    expect(estKvBytesOf(pool('x'), demand(draft))).toBe(bytes)
  })

  it('[004-28a] is the same in a pool with one model as in one with several', () => {
    expect(estKvBytesOf(pool(), demand({ requiredCtx: 3 }))).toBe(3 * TOKEN)
  })
})
