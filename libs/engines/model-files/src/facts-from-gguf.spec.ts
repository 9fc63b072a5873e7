import { describe, expect, it } from '@jest/globals'
import { kvBytes } from '@berth/fleet'
import { factsFromGguf } from './facts-from-gguf.ts'
import type { GgufHeader, HeaderValue, TensorSums } from './raw-header.ts'
import { NO_TENSORS } from './testing/no-tensors.ts'

/** The keys of an architecture, as the header of a public model has them. */
const headerOf = (
  architecture: string,
  keys: Readonly<Record<string, HeaderValue>>,
  tensors: TensorSums = NO_TENSORS,
): GgufHeader => ({
  kind: 'gguf',
  metadata: {
    'general.architecture': architecture,
    ...Object.fromEntries(
      Object.entries(keys).map(([key, value]) => [`${architecture}.${key}`, value]),
    ),
  },
  arrayLengths: { 'tokenizer.ggml.tokens': 201_088 },
  tensors,
})

const heads = (count: number, kv: HeaderValue, length?: number): Record<string, HeaderValue> => ({
  'attention.head_count': count,
  'attention.head_count_kv': kv,
  ...(length !== undefined && {
    ...{ 'attention.key_length': length, 'attention.value_length': length },
  }),
})

const LLAMA = { block_count: 32, embedding_length: 4096, context_length: 8192, ...heads(32, 8) }
const GPT_OSS = {
  ...{ block_count: 24, embedding_length: 2880, 'attention.sliding_window': 128 },
  ...heads(64, 8, 64),
}
const QWEN35 = {
  ...{ block_count: 40, embedding_length: 2048, full_attention_interval: 4 },
  ...heads(16, 2, 256),
  ...{ 'ssm.conv_kernel': 4, 'ssm.state_size': 128, 'ssm.group_count': 16 },
  ...{ 'ssm.time_step_rank': 32, 'ssm.inner_size': 4096 },
}

describe('the cache of a GGUF model', () => {
  const rows: [string, GgufHeader, number, number][] = [
    // 32 x 8 x 256 x 2 = 131,072 a token; the head is 4096 / 32.
    ['Llama 3 8B', headerOf('llama', LLAMA), 1_000, 131_072_000],
    // No head_count_kv: as many as queries. 32 x 32 x 256 x 2.
    [
      'Llama 2 7B',
      headerOf('llama', { block_count: 32, embedding_length: 4096, 'attention.head_count': 32 }),
      ...[1_000, 524_288_000],
    ] as [string, GgufHeader, number, number],
    // llama.cpp runs Phi 3 without the window its header names: 32 x 32 x 192 x 2.
    [
      'Phi 3 mini',
      headerOf('phi3', {
        ...{ block_count: 32, embedding_length: 3072, 'attention.sliding_window': 2047 },
        ...heads(32, 32),
      }),
      ...[4_000, 1_572_864_000],
    ] as [string, GgufHeader, number, number],
    // Every second of 24 has the window of 128: 12 x 2,048 x (10,000 + 128).
    ['GPT-OSS 20B', headerOf('gpt-oss', GPT_OSS), 10_000, 248_905_728],
    // 5 of 6 have the window. 62 = 10 x 6 + 2: 10 keep all, 52 keep 1,024, of 8,192 bytes.
    [
      'Gemma 3 27B',
      headerOf('gemma3', {
        ...{ block_count: 62, embedding_length: 5376, 'attention.sliding_window': 1024 },
        ...heads(32, 16, 128),
      }),
      ...[20_000, 2_074_607_616],
    ] as [string, GgufHeader, number, number],
    // As its config says: 5 x 2 x 1024 x 2 a token, and 25 x 1,024 x 8 x 512 x 2.
    [
      'Gemma 4 26B-A4B',
      headerOf('gemma4', {
        ...{ block_count: 30, embedding_length: 2816, 'attention.sliding_window': 1024 },
        ...heads(
          16,
          Array.from({ length: 30 }, (_, at) => ((at + 1) % 6 === 0 ? 2 : 8)),
          512,
        ),
        ...{ 'attention.key_length_swa': 256, 'attention.value_length_swa': 256 },
        'attention.sliding_window_pattern': Array.from(
          { length: 30 },
          (_, at) => (at + 1) % 6 !== 0,
        ),
      }),
      ...[20_000, 619_315_200],
    ] as [string, GgufHeader, number, number],
    // 61 x 576 x 2: one head of 512 latent numbers and 64 of rope, and no values.
    [
      'DeepSeek V3',
      headerOf('deepseek2', {
        ...{ block_count: 61, embedding_length: 7168, 'attention.kv_lora_rank': 512 },
        ...heads(128, 1),
        ...{ 'attention.key_length': 576, 'attention.value_length': 512 },
        ...{ 'attention.key_length_mla': 192, 'attention.value_length_mla': 128 },
      }),
      ...[1_000, 70_272_000],
    ] as [string, GgufHeader, number, number],
    // As it was converted before llama.cpp knew: 128 heads of 192 and 128. 61 x 40,960 x 2.
    [
      'DeepSeek V3, converted early',
      headerOf('deepseek2', {
        ...{ block_count: 61, embedding_length: 7168, 'attention.kv_lora_rank': 512 },
        ...heads(128, 128),
        ...{ 'attention.key_length': 192, 'attention.value_length': 128 },
      }),
      ...[1_000, 4_997_120_000],
    ] as [string, GgufHeader, number, number],
    // Every fourth of 40 attends: 10 x 2 x 512 x 2.
    ['Qwen 3.5 35B-A3B', headerOf('qwen35moe', QWEN35), 1_000, 20_480_000],
    // 2 of 4 attend, the third computes: their heads stand in an array.
    [
      'a small Nemotron-H',
      headerOf('nemotron_h', {
        ...{ block_count: 4, embedding_length: 1024, feed_forward_length: [0, 0, 4096, 0] },
        ...heads(8, [0, 2, 0, 2], 128),
        ...{ 'ssm.conv_kernel': 4, 'ssm.state_size': 128, 'ssm.group_count': 8 },
        ...{ 'ssm.time_step_rank': 16, 'ssm.inner_size': 1024 },
      }),
      // 2 x 2 x 256 x 2 a token.
      ...[1_000, 2_048_000],
    ] as [string, GgufHeader, number, number],
    // The 62nd block drafts, and the model without it keeps nothing there.
    [
      'a model with a draft head',
      headerOf('glm4moe', { ...LLAMA, block_count: 33, nextn_predict_layers: 1 }),
      ...[1_000, 131_072_000],
    ] as [string, GgufHeader, number, number],
  ]
  it.each(rows)('%s', (_, header, tokens, expected) => {
    const { dimensions } = factsFromGguf(header)
    expect(dimensions && kvBytes(dimensions, tokens)).toBe(expected)
  })

  it('of a hybrid has states where it does not attend', () => {
    // 30 blocks: 3 x (4,096 + 2 x 16 x 128) and 128 x 4,096 numbers, of four bytes.
    const facts = factsFromGguf(headerOf('qwen35moe', QWEN35))
    expect(facts.recurrentBytes).toBe(30 * (24_576 + 524_288) * 4)
    expect(facts.caches?.[0]).toMatchObject({ keyNumbers: 0, stateBytes: 2_195_456 })
    expect(facts.caches?.[3]).toMatchObject({ keyNumbers: 512, stateBytes: 0 })
  })

  it('of Mamba is its states alone', () => {
    const facts = factsFromGguf(
      headerOf('mamba', {
        ...{ block_count: 24, embedding_length: 768 },
        ...{ 'ssm.conv_kernel': 4, 'ssm.inner_size': 1536, 'ssm.state_size': 16 },
      }),
    )
    expect(facts).not.toHaveProperty('dimensions')
    expect(facts.recurrentBytes).toBe(24 * (3 * 1536 + 16 * 1536) * 4)
  })

  it('of Gemma 3n ends with its twentieth block: the others use theirs', () => {
    const shape = { block_count: 35, embedding_length: 2048, 'attention.sliding_window': 512 }
    const facts = factsFromGguf(headerOf('gemma3n', { ...shape, ...heads(8, 2, 256) }))
    expect(facts.caches?.filter(({ keyNumbers }) => keyNumbers > 0)).toHaveLength(20)
  })
})

describe('a GGUF header', () => {
  it('[001-LDR-3] tells what a model is', () => {
    const tensors: TensorSums = {
      ...{ count: 4, bytes: 1_000, parameters: 2_000, kinds: { Q4_K: 900, F32: 100 } },
      ...{ blockBytes: [300, 400], expertBytes: [100, 200] },
      outside: { 'token_embd.weight': 200, 'output_norm.weight': 10, 'rope_freqs.weight': 90 },
    }
    expect(
      factsFromGguf(headerOf('llama', { ...LLAMA, expert_used_count: 2 }, tensors)),
    ).toMatchObject({
      ...{ format: 'gguf', architecture: 'llama', quantization: 'Q4_K', weightBytes: 1_000 },
      ...{ parameters: 2_000, blockBytes: [300, 400], expertBytes: [100, 200] },
      ...{ inputBytes: 200, outputBytes: 100, isTied: true, contextLength: 8_192 },
      ...{ vocabularySize: 201_088, widths: { heads: 32, expertsUsed: 2 } },
    })
  })

  it('names its quantisation itself where it does', () => {
    const header = headerOf('llama', LLAMA)
    const named = { ...header, metadata: { ...header.metadata, 'general.file_type': 15 } }
    expect(factsFromGguf(named).quantization).toBe('Q4_K_M')
  })

  it.each(['brand-new', 'deepseek4', 'clip', ''])(
    'of the architecture "%s", whose memory is not known, gives no dimensions',
    (architecture) => {
      const facts = factsFromGguf(headerOf(architecture, LLAMA))
      expect(facts).not.toHaveProperty('dimensions')
      expect(facts).not.toHaveProperty('caches')
    },
  )

  it.each([
    ['blocks without end', { ...LLAMA, block_count: 2_000_000_000 }],
    ['no blocks', { ...LLAMA, block_count: 0 }],
    ['half a head', { ...LLAMA, 'attention.head_count_kv': 7.5, 'attention.head_count': -1 }],
    ['heads of fewer blocks than it has', { ...LLAMA, 'attention.head_count': [32, 32] }],
    [
      'numbers of which there is no half',
      {
        ...{ ...LLAMA, block_count: 2, 'attention.head_count_kv': [2, 1] },
        ...{ 'attention.key_length': 127, 'attention.value_length': 64 },
      },
    ],
    [
      'more numbers than a message holds',
      {
        ...{ ...LLAMA, block_count: 2, 'attention.head_count_kv': [2 ** 31, 2 ** 30] },
        ...{ 'attention.key_length': 128, 'attention.value_length': 128 },
      },
    ],
  ])('with %s gives no dimensions', (_, keys) => {
    expect(factsFromGguf(headerOf('llama', keys))).not.toHaveProperty('dimensions')
  })
})
