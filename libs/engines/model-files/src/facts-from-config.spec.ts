import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { kvBytes } from '@berth/fleet'
import { factsFromConfig } from './facts-from-config.ts'
import type { JsonObject } from './raw-header.ts'
import { NO_TENSORS } from './testing/no-tensors.ts'

const read = (name: string): JsonObject => {
  const text = readFileSync(join(import.meta.dirname, '../fixtures', `${name}.json`), 'utf8')
  // As the reader does: Nemotron-H's config holds a word that JSON does not have.
  return JSON.parse(text.replace(/\bInfinity\b/, 'null')) as JsonObject
}
const factsOf = (name: string, quantConfig?: JsonObject) =>
  factsFromConfig({
    ...{ kind: 'safetensors', config: read(name), tensors: NO_TENSORS },
    ...(quantConfig && { quantConfig }),
  })

describe('the cache of a public model', () => {
  const rows: [string, string, number, number][] = [
    // 32 layers x 8 heads x (128 + 128) x 2 bytes = 131,072 a token.
    ['Llama 3 8B', 'shape_llama-3-8b', 1_000, 131_072_000],
    // 80 x 8 x 256 x 2 = 327,680.
    ['Llama 3.1 70B', 'config_llama-3.1-70b', 1_000, 327_680_000],
    // 36 x 8 x (128 + 128) x 2 = 147,456. The head is 128, and 4096 / 32 as well.
    ['Qwen 3 8B', 'config_qwen3-8b', 1_000, 147_456_000],
    // 48 x 4 x 256 x 2 = 98,304. The head is 128, though 2048 / 32 is 64.
    ['Qwen 3 30B-A3B', 'config_qwen3-30b-a3b', 1_000, 98_304_000],
    // 32 x 8 x 256 x 2 = 131,072 a token, of the last 4,096 only: 536,870,912.
    ['Mistral 7B, past its window', 'shape_mistral-7b-v0.1', 20_000, 536_870_912],
    ['Mistral 7B, within it', 'shape_mistral-7b-v0.1', 1_000, 131_072_000],
    // 32 x 8 x 256 x 2; experts have no cache.
    ['Mixtral 8x7B', 'config_mixtral-8x7b-v0.1', 1_000, 131_072_000],
    // A layer: 16 x 256 x 2 = 8,192 a token. 10 of 62 keep 20,000 tokens: 1,638,400,000; 52 keep
    // 1,024: 436,207,616.
    ['Gemma 3 27B', 'shape_gemma-3-27b', 20_000, 2_074_607_616],
    // Five layers of 30 keep everything, in 2 heads of 512: 2 x 1024 x 2 = 4,096 a token and
    // 409,600,000 in all. 25 keep 1,024 tokens in 8 heads of 256: 8 x 512 x 2 = 8,192 a token and
    // 209,715,200 in all.
    ['Gemma 4 26B-A4B', 'config_gemma-4-26b-a4b', 20_000, 619_315_200],
    // 32 x 32 x (96 + 96) x 2 = 393,216 a token, of the last 2,047: 804,913,152.
    ['Phi 3 mini 4k', 'config_phi-3-mini-4k-instruct', 4_000, 804_913_152],
    // Latent: 61 x (512 + 64) x 2 = 70,272 a token, whatever the 128 heads.
    ['DeepSeek V3', 'config_deepseek-v3', 1_000, 70_272_000],
    // A layer: 8 x 128 x 2 = 2,048 a token. 12 keep 10,000 tokens: 245,760,000; 12 keep 128:
    // 3,145,728.
    ['GPT-OSS 20B', 'config_gpt-oss-20b', 10_000, 248_905_728],
    // 18 and 18 of 36: 368,640,000 and 4,718,592.
    ['GPT-OSS 120B', 'config_gpt-oss-120b', 10_000, 373_358_592],
    // Ten of 118 blocks attend: 10 x 8 x 256 x 2 = 40,960 a token.
    ['Nemotron-H 56B', 'config_nemotron-h-56b', 1_000, 40_960_000],
    // Six of 52: 6 x 2 x 256 x 2 = 6,144.
    ['Nemotron 3 Nano 30B-A3B', 'config_nemotron-3-nano-30b-a3b', 1_000, 6_144_000],
    // 12 of 48: 12 x 2 x (256 + 256) x 2 = 24,576.
    ['Qwen3-Next 80B-A3B', 'config_qwen3-next-80b-a3b', 1_000, 24_576_000],
    // 10 of 40: 10 x 2 x 512 x 2 = 20,480.
    ['Qwen 3.5 35B-A3B', 'config_qwen3.5-35b-a3b', 1_000, 20_480_000],
    // 80 x 8 x (64 + 64) x 2 = 163,840; the head is 14848 / 232.
    ['Falcon 180B', 'shape_falcon-180b', 1_000, 163_840_000],
    // One head for all: 32 x 1 x (64 + 64) x 2 = 8,192.
    ['Falcon 7B', 'shape_falcon-7b', 1_000, 8_192_000],
    // 40 x 10 x 256 x 2 = 204,800, of the last 131,072 and so of all here.
    ['Phi 3 medium 128k', 'config_phi-3-medium-128k-instruct', 1_000, 204_800_000],
  ]
  it.each(rows)('%s', (_, name, tokens, expected) => {
    const { dimensions } = factsOf(name)
    expect(dimensions && kvBytes(dimensions, tokens)).toBe(expected)
  })
})

describe('the state of a public model', () => {
  it('of Qwen3-Next does not grow: 36 blocks of linear attention', () => {
    // A convolution looks 3 tokens back at 2 x 16 x 128 + 32 x 128 = 8,192 numbers of 2 bytes; the
    // state is 32 heads of 128 x 128, of 2 bytes too: 36 x (49,152 + 1,048,576).
    expect(factsOf('config_qwen3-next-80b-a3b').recurrentBytes).toBe(39_518_208)
  })

  it('of Qwen 3.5 has four bytes a number, as its config says', () => {
    // 30 x (3 x 8,192 x 2 + 32 x 128 x 128 x 4).
    expect(factsOf('config_qwen3.5-35b-a3b').recurrentBytes).toBe(64_389_120)
  })

  it('of Nemotron 3 Nano is that of its 23 Mamba blocks', () => {
    // Inner 64 x 64 = 4,096, with 8 groups of 128 twice: 6,144. 3 x 6,144 x 2 + 4,096 x 128 x 4.
    expect(factsOf('config_nemotron-3-nano-30b-a3b').recurrentBytes).toBe(23 * 2_134_016)
  })

  it('is none where all blocks attend', () => {
    expect(factsOf('config_qwen3-8b')).not.toHaveProperty('recurrentBytes')
  })
})

describe('the quantisation of a model', () => {
  it.each([
    ['config_qwen3-8b', 'BF16'],
    ['config_qwen3-32b-fp8', 'fp8'],
    ['config_gpt-oss-20b', 'mxfp4'],
    ['config_deepseek-v3', 'fp8'],
    ['config_llama-3.1-70b-instruct-fp8_modelopt', 'BF16'],
  ])('of %s is %s', (name, expected) => {
    expect(factsOf(name).quantization).toBe(expected)
  })

  it('may stand in a file of its own, with that of its cache', () => {
    const beside = read('hf_quant_config_llama-3.1-70b-instruct-fp8')
    const facts = factsOf('config_llama-3.1-70b-instruct-fp8_modelopt', beside)
    expect(facts).toMatchObject({ quantization: 'fp8', kvNumberBytes: 1 })
  })

  it.each([
    [{ quant_method: 'awq', bits: 4 }, 'awq-int4'],
    [{ quant_method: 'gptq', bits: 8 }, 'gptq-int8'],
    [{ quant_method: 'bitsandbytes', load_in_8bit: true }, 'bnb-int8'],
    [{ quant_method: 'compressed-tensors', format: 'float-quantized' }, 'fp8'],
    [
      {
        quant_method: 'compressed-tensors',
        format: 'pack-quantized',
        config_groups: { group_0: { weights: { num_bits: 4 } } },
      },
      'int4',
    ],
    [{ quant_method: 'modelopt', quant_algo: 'NVFP4' }, 'nvfp4'],
  ])('%j is %s', (quantization_config, expected) => {
    const config = { ...read('shape_llama-3-8b'), quantization_config }
    const facts = factsFromConfig({ kind: 'safetensors', config, tensors: NO_TENSORS })
    expect(facts.quantization).toBe(expected)
  })
})

describe('a config', () => {
  it('[001-LDR-3] tells what a model is', () => {
    expect(factsOf('config_deepseek-v3')).toMatchObject({
      ...{ format: 'safetensors', architecture: 'DeepseekV3ForCausalLM', blocks: 61 },
      ...{ contextLength: 163_840, embeddingLength: 7_168, vocabularySize: 129_280 },
      widths: { heads: 128, expertsUsed: 8, expertFeedForward: 2_048 },
    })
  })

  it('of a model that sees tells of its language model', () => {
    expect(factsOf('shape_gemma-3-27b')).toMatchObject({ blocks: 62, contextLength: 131_072 })
  })

  it('of a type that is not known gives no dimensions, and no guess', () => {
    const config = { ...read('shape_llama-3-8b'), model_type: 'brand_new', architectures: ['New'] }
    const facts = factsFromConfig({ kind: 'safetensors', config, tensors: NO_TENSORS })
    expect(facts).toMatchObject({ architecture: 'New', blocks: 32 })
    expect(facts).not.toHaveProperty('dimensions')
    expect(facts).not.toHaveProperty('caches')
  })

  it.each(['num_hidden_layers', 'hidden_size', 'num_attention_heads'])(
    'without %s gives no dimensions',
    (key) => {
      const config = { ...read('shape_llama-3-8b'), [key]: undefined }
      const facts = factsFromConfig({ kind: 'safetensors', config, tensors: NO_TENSORS })
      expect(facts).not.toHaveProperty('dimensions')
    },
  )

  it('deals weights out over blocks, and gives those of a draft head to the head', () => {
    const tensors = {
      ...{ count: 5, bytes: 100, parameters: 50, expertBytes: [0, 0, 0] },
      ...{ blockBytes: [20, 30, 10], kinds: { BF16: 100 } },
      outside: { 'model.embed_tokens.weight': 25, 'lm_head.weight': 15 },
    }
    const config = { ...read('shape_llama-3-8b'), num_hidden_layers: 2 }
    expect(factsFromConfig({ kind: 'safetensors', config, tensors })).toMatchObject({
      ...{ weightBytes: 100, parameters: 50, blockBytes: [20, 30] },
      ...{ inputBytes: 25, outputBytes: 25 },
    })
  })
})
