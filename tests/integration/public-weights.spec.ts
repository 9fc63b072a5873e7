import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { factsFromConfig } from '@berth/model-files'
import { createHeaderReader } from '@berth/model-headers'
import { estimateMemory, type ModelFacts } from '@berth/memory'
import {
  alikeTensors,
  inBlocks,
  type ShapedTensor,
  writeShapedWeights,
} from './src/shaped-weights.ts'

/** Feed forward of one expert. */
const expert = (prefix: string, hidden: number, width: number): ShapedTensor[] => [
  [`${prefix}.gate_proj.weight`, [width, hidden]],
  [`${prefix}.up_proj.weight`, [width, hidden]],
  [`${prefix}.down_proj.weight`, [hidden, width]],
]
const experts = (count: number, hidden: number, width: number): ShapedTensor[] =>
  Array.from({ length: count }, (_, at) => expert(`mlp.experts.${at}`, hidden, width)).flat()

/** Phi 3 has queries, keys and values in one tensor, and gate and up in another. */
const phi3 = (blocks: number, hidden: number, keys: number, width: number): ShapedTensor[] => [
  ...inBlocks(0, blocks, [
    ['self_attn.qkv_proj.weight', [hidden + 2 * keys, hidden]],
    ['self_attn.o_proj.weight', [hidden, hidden]],
    ['mlp.gate_up_proj.weight', [2 * width, hidden]],
    ['mlp.down_proj.weight', [hidden, width]],
    ['input_layernorm.weight', [hidden]],
    ['post_attention_layernorm.weight', [hidden]],
  ]),
  ['model.embed_tokens.weight', [32_064, hidden]],
  ['model.norm.weight', [hidden]],
  ['lm_head.weight', [32_064, hidden]],
]

/** 128 + 64 of a query, 512 + 64 latent, 128 + 128 of each of 128 heads out of them. */
const DEEPSEEK_ATTENTION: ShapedTensor[] = [
  ['self_attn.q_a_proj.weight', [1_536, 7_168]],
  ['self_attn.q_a_layernorm.weight', [1_536]],
  ['self_attn.q_b_proj.weight', [128 * 192, 1_536]],
  ['self_attn.kv_a_proj_with_mqa.weight', [576, 7_168]],
  ['self_attn.kv_a_layernorm.weight', [512]],
  ['self_attn.kv_b_proj.weight', [128 * 256, 512]],
  ['self_attn.o_proj.weight', [7_168, 128 * 128]],
  ['input_layernorm.weight', [7_168]],
  ['post_attention_layernorm.weight', [7_168]],
]
const DEEPSEEK_V3: ShapedTensor[] = [
  ...inBlocks(0, 61, DEEPSEEK_ATTENTION),
  ...inBlocks(0, 3, expert('mlp', 7_168, 18_432)),
  ...inBlocks(3, 61, [
    ['mlp.gate.weight', [256, 7_168]],
    ['mlp.gate.e_score_correction_bias', [256]],
    ...expert('mlp.shared_experts', 7_168, 2_048),
    ...experts(256, 7_168, 2_048),
  ]),
  ['model.embed_tokens.weight', [129_280, 7_168]],
  ['model.norm.weight', [7_168]],
  ['lm_head.weight', [129_280, 7_168]],
]

/** MXFP4: two numbers a byte, and a scale for 32 of them. */
const GPT_OSS_20B: ShapedTensor[] = [
  ...inBlocks(0, 24, [
    ['mlp.experts.gate_up_proj_blocks', [32, 5_760, 90, 16], 'U8'],
    ['mlp.experts.gate_up_proj_scales', [32, 5_760, 90], 'U8'],
    ['mlp.experts.gate_up_proj_bias', [32, 5_760]],
    ['mlp.experts.down_proj_blocks', [32, 2_880, 90, 16], 'U8'],
    ['mlp.experts.down_proj_scales', [32, 2_880, 90], 'U8'],
    ['mlp.experts.down_proj_bias', [32, 2_880]],
    ['mlp.router.weight', [32, 2_880]],
    ['mlp.router.bias', [32]],
    ['self_attn.q_proj.weight', [4_096, 2_880]],
    ['self_attn.q_proj.bias', [4_096]],
    ['self_attn.k_proj.weight', [512, 2_880]],
    ['self_attn.k_proj.bias', [512]],
    ['self_attn.v_proj.weight', [512, 2_880]],
    ['self_attn.v_proj.bias', [512]],
    ['self_attn.o_proj.weight', [2_880, 4_096]],
    ['self_attn.o_proj.bias', [2_880]],
    ['self_attn.sinks', [64]],
    ['input_layernorm.weight', [2_880]],
    ['post_attention_layernorm.weight', [2_880]],
  ]),
  ['model.embed_tokens.weight', [201_088, 2_880]],
  ['model.norm.weight', [2_880]],
  ['lm_head.weight', [201_088, 2_880]],
]

const NEXT_EXPERTS: ShapedTensor[] = [
  ['mlp.gate.weight', [512, 2_048]],
  ['mlp.shared_expert_gate.weight', [1, 2_048]],
  ...expert('mlp.shared_expert', 2_048, 512),
  ...experts(512, 2_048, 512),
  ['input_layernorm.weight', [2_048]],
  ['post_attention_layernorm.weight', [2_048]],
]
const NEXT_FULL: ShapedTensor[] = [
  ['self_attn.q_proj.weight', [2 * 16 * 256, 2_048]],
  ['self_attn.k_proj.weight', [512, 2_048]],
  ['self_attn.v_proj.weight', [512, 2_048]],
  ['self_attn.o_proj.weight', [2_048, 4_096]],
  ['self_attn.q_norm.weight', [256]],
  ['self_attn.k_norm.weight', [256]],
]
const NEXT_LINEAR: ShapedTensor[] = [
  ['linear_attn.in_proj_qkvz.weight', [12_288, 2_048]],
  ['linear_attn.in_proj_ba.weight', [64, 2_048]],
  ['linear_attn.conv1d.weight', [8_192, 1, 4]],
  ['linear_attn.dt_bias', [32]],
  ['linear_attn.A_log', [32]],
  ['linear_attn.norm.weight', [128]],
  ['linear_attn.out_proj.weight', [2_048, 4_096]],
]
const QWEN3_NEXT: ShapedTensor[] = [
  ...Array.from({ length: 48 }, (_, at) =>
    inBlocks(at, at + 1, [...NEXT_EXPERTS, ...((at + 1) % 4 === 0 ? NEXT_FULL : NEXT_LINEAR)]),
  ).flat(),
  ['model.embed_tokens.weight', [151_936, 2_048]],
  ['model.norm.weight', [2_048]],
  ['lm_head.weight', [151_936, 2_048]],
]

const FALCON_7B: ShapedTensor[] = [
  ...Array.from({ length: 32 }, (_, at): ShapedTensor[] => [
    [`transformer.h.${at}.self_attention.query_key_value.weight`, [73 * 64, 4_544]],
    [`transformer.h.${at}.self_attention.dense.weight`, [4_544, 4_544]],
    [`transformer.h.${at}.mlp.dense_h_to_4h.weight`, [18_176, 4_544]],
    [`transformer.h.${at}.mlp.dense_4h_to_h.weight`, [4_544, 18_176]],
    [`transformer.h.${at}.input_layernorm.weight`, [4_544]],
    [`transformer.h.${at}.input_layernorm.bias`, [4_544]],
  ]).flat(),
  ['transformer.word_embeddings.weight', [65_024, 4_544]],
  ['transformer.ln_f.weight', [4_544]],
  ['transformer.ln_f.bias', [4_544]],
]

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-public-'))
})
afterAll(async () => {
  await rm(dir, { recursive: true })
})

const reader = createHeaderReader({ nodePath: process.execPath })
const factsOf = async (
  name: string,
  tensors: readonly ShapedTensor[],
  config: Readonly<Record<string, unknown>> = {},
): Promise<ModelFacts> => {
  const path = await writeShapedWeights(join(dir, name), config, tensors)
  const header = await reader.read(path)
  if (header.kind !== 'safetensors') throw new Error(header.kind)
  return factsFromConfig(header)
}

const LLAMA_8B = { blocks: 32, hidden: 4_096, queries: 4_096, keys: 1_024, feedForward: 14_336 }

describe('the weights of a public model, from the header of its file', () => {
  const rows: [string, () => ShapedTensor[], number][] = [
    // 2 x 128,256 x 4,096; 32 x (2 x 4,096² + 2 x 1,024 x 4,096 + 3 x 14,336 x 4,096 + 2 x 4,096);
    // 4,096.
    ['Llama 3 8B', () => alikeTensors({ ...LLAMA_8B, vocabulary: 128_256 }), 8_030_261_248],
    // 2 x 128,256 x 8,192; 80 x (2 x 8,192² + 2 x 1,024 x 8,192 + 3 x 28,672 x 8,192 + 2 x 8,192).
    [
      'Llama 3.1 70B',
      () =>
        alikeTensors({
          ...{ blocks: 80, vocabulary: 128_256, hidden: 8_192, queries: 8_192 },
          ...{ keys: 1_024, feedForward: 28_672 },
        }),
      70_553_706_496,
    ],
    // One embedding, for both ends: 128,256 x 2,048.
    [
      'Llama 3.2 1B',
      () =>
        alikeTensors({
          ...{ blocks: 16, vocabulary: 128_256, hidden: 2_048, queries: 2_048 },
          ...{ keys: 512, feedForward: 8_192, isTied: true },
        }),
      1_235_814_400,
    ],
    ['Mistral 7B', () => alikeTensors({ ...LLAMA_8B, vocabulary: 32_000 }), 7_241_732_096],
    // As Mistral, with eight feed forwards and 8 x 4,096 that choose.
    [
      'Mixtral 8x7B',
      () => alikeTensors({ ...LLAMA_8B, vocabulary: 32_000, experts: 8 }),
      46_702_792_704,
    ],
    // Norms of 128 for queries and keys, in each of 36 blocks.
    [
      'Qwen 3 8B',
      () =>
        alikeTensors({
          ...{ blocks: 36, vocabulary: 151_936, hidden: 4_096, queries: 4_096 },
          ...{ keys: 1_024, feedForward: 12_288, headNorm: 128 },
        }),
      8_190_735_360,
    ],
    // 48 x 128 experts of 3 x 768 x 2,048; queries are twice as wide as the stream.
    [
      'Qwen 3 30B-A3B',
      () =>
        alikeTensors({
          ...{ blocks: 48, vocabulary: 151_936, hidden: 2_048, queries: 4_096 },
          ...{ keys: 512, feedForward: 768, headNorm: 128, experts: 128 },
        }),
      30_532_122_624,
    ],
    // The language model alone: 262,208 x 5,376 once, and four norms in each of 62 blocks.
    [
      'Gemma 3 27B',
      () =>
        alikeTensors({
          ...{ blocks: 62, vocabulary: 262_208, hidden: 5_376, queries: 4_096, keys: 2_048 },
          ...{ feedForward: 21_504, norms: 4, headNorm: 128, isTied: true },
        }),
      27_009_346_304,
    ],
    // 32 x (9,216 x 3,072 + 3,072² + 3 x 8,192 x 3,072 + 2 x 3,072), 2 x 32,064 x 3,072, 3,072.
    ['Phi 3 mini', () => phi3(32, 3_072, 3_072, 8_192), 3_821_079_552],
    // 10 KV heads of 128.
    ['Phi 3 medium', () => phi3(40, 5_120, 1_280, 17_920), 13_960_238_080],
    // 71 query heads, one of keys and one of values, of 64.
    ['Falcon 7B', () => FALCON_7B, 6_921_720_704],
    // 61 x 187,121,664 that attend; 3 x 396,361,728 dense; 58 x 11,320,164,608 of experts.
    ['DeepSeek V3', () => DEEPSEEK_V3, 671_026_419_200],
    // 12 x 27,263,488 with full attention, 36 x 33,718,464 with linear, 48 x 1,614,813,184 of
    // experts.
    ['Qwen3-Next 80B-A3B', () => QWEN3_NEXT, 79_674_391_296],
  ]
  it.each(rows)(
    'of %s are two bytes for each of its parameters',
    async (name, tensors, expected) => {
      const facts = await factsOf(name.replaceAll(' ', '-'), tensors())
      expect(facts).toMatchObject({ parameters: expected, weightBytes: 2 * expected })
    },
  )

  it('of GPT-OSS 20B are those of its packed experts', async () => {
    // A block: 265,420,800 and 16,588,800 of gates, 132,710,400 and 8,294,400 that go down, all in
    // bytes; biases, attention, router and norms of 53,849,152. 24 of them, and 2,316,539,520.
    const facts = await factsOf('gpt-oss', GPT_OSS_20B)
    expect(facts.weightBytes).toBe(13_761_264_768)
    // Two numbers a byte: the file's count would be no count of parameters.
    expect(facts).not.toHaveProperty('parameters')
  })
})

describe('an estimate from the files of a model', () => {
  it('has its weights and its cache', async () => {
    const config = {
      ...{ model_type: 'llama', num_hidden_layers: 32, hidden_size: 4_096 },
      ...{ num_attention_heads: 32, num_key_value_heads: 8, vocab_size: 128_256 },
    }
    const tensors = alikeTensors({ ...LLAMA_8B, vocabulary: 128_256 })
    const facts = await factsOf('estimated', tensors, config)
    const estimate = estimateMemory(
      facts,
      {
        kind: 'reserved',
        share: 0.9,
        parallel: 1,
        maxTokens: 8_192,
        kvNumberBytes: 2,
        overheadBytes: 0,
      },
      [{ deviceId: '0', kind: 'gpu', totalBytes: 24e9 }],
    )
    // 21.6e9 less 16,060,522,496, of 131,072 bytes a token.
    expect(estimate).toMatchObject({
      kind: 'known',
      kvRoomTokens: Math.floor((21.6e9 - 16_060_522_496) / 131_072),
    })
  })
})
