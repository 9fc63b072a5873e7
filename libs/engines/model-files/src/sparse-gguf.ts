import { ggufImage, type GgufImage, type GgufTensor, type GgufValue } from './gguf-image.ts'
import { tinyVocabulary, type TinyToken } from './tiny-vocabulary.ts'
import { tokenizerMetadata } from './tokenizer-metadata.ts'

/** The shape of a model that is all holes. What an architecture does not have is left out of it. */
export interface SparseGgufShape {
  readonly architecture: 'llama' | 'gemma3' | 'deepseek2' | 'qwen3next' | 'gpt-oss'
  readonly blocks: number
  readonly dim: number
  readonly heads: number
  readonly kvHeads: number
  readonly keyLength: number
  readonly feedForward: number
  /** 0: no experts, where the architecture can be without. */
  readonly experts?: number
  readonly expertsUsed?: number
  readonly window?: number
  /** At least 1256: the words of the tiny model and fillers. */
  readonly vocabularySize?: number
  readonly contextTokens?: number
}

/** Of the latent attention of `deepseek2`. */
const LATENT = { rank: 512, rope: 64, queryRank: 256, keyLength: 192, valueLength: 128 }
/** Of the linear attention of `qwen3next`. */
const LINEAR = { state: 128, groups: 4, heads: 8, kernel: 4 }

/**
 * A GGUF file with the tensors of an architecture and no numbers in them: an engine loads it and
 * allocates for it what it would for a real one, and a disk holds little of it.
 */
export const sparseGguf = (shape: SparseGgufShape): GgufImage => {
  const tokens = tokensOf(shape.vocabularySize ?? 0)
  const blocks = Array.from({ length: shape.blocks }, (_, at) =>
    blockOf(shape, at).map((tensor) => ({ ...tensor, name: `blk.${at}.${tensor.name}` })),
  )
  return ggufImage({ ...metadataOf(shape, tokens.length), ...tokenizerMetadata(tokens) }, [
    half('token_embd.weight', shape.dim, tokens.length),
    ...blocks.flat(),
    norm('output_norm.weight', shape.dim),
    ...(shape.architecture === 'gemma3' ? [] : [half('output.weight', shape.dim, tokens.length)]),
  ])
}

const tokensOf = (size: number): readonly TinyToken[] => {
  const tokens = tinyVocabulary()
  const fillers = Math.max(0, size - tokens.length)
  return [
    ...tokens,
    ...Array.from({ length: fillers }, (_, at): TinyToken => {
      return { text: `<filler ${at}>`, kind: 'normal', said: 'never' }
    }),
  ]
}

const half = (name: string, ...shape: readonly number[]): GgufTensor => ({
  name,
  shape,
  kind: 'f16',
})
const norm = (name: string, ...shape: readonly number[]): GgufTensor => ({
  name,
  shape,
  kind: 'f32',
})

const blockOf = (shape: SparseGgufShape, at: number): GgufTensor[] => [
  norm('attn_norm.weight', shape.dim),
  ...attentionOf(shape, at),
  ...(shape.experts ? expertsOf(shape) : denseOf(shape)),
  ...(shape.architecture === 'gemma3' ? [norm('post_ffw_norm.weight', shape.dim)] : []),
]

const attentionOf = (shape: SparseGgufShape, at: number): GgufTensor[] => {
  const { architecture, dim, heads, kvHeads, keyLength } = shape
  if (architecture === 'deepseek2') return latentOf(shape)
  if (architecture === 'qwen3next' && (at + 1) % 4 !== 0) return linearOf(shape)
  // Queries of Qwen3-Next carry their gates.
  const queries = heads * keyLength * (architecture === 'qwen3next' ? 2 : 1)
  const isNormed = architecture === 'gemma3' || architecture === 'qwen3next'
  return [
    half('attn_q.weight', dim, queries),
    half('attn_k.weight', dim, kvHeads * keyLength),
    half('attn_v.weight', dim, kvHeads * keyLength),
    half('attn_output.weight', heads * keyLength, dim),
    ...(isNormed
      ? [norm('attn_q_norm.weight', keyLength), norm('attn_k_norm.weight', keyLength)]
      : []),
    ...(architecture === 'gpt-oss' ? [norm('attn_sinks.weight', heads)] : []),
    ...(architecture === 'gpt-oss' ? [norm('attn_output.bias', dim)] : []),
    norm(architecture === 'llama' ? 'ffn_norm.weight' : 'post_attention_norm.weight', dim),
    ...(architecture === 'gemma3' ? [norm('ffn_norm.weight', dim)] : []),
  ]
}

const latentOf = ({ dim, heads }: SparseGgufShape): GgufTensor[] => {
  const { rank, rope, queryRank, keyLength, valueLength } = LATENT
  return [
    norm('attn_q_a_norm.weight', queryRank),
    norm('attn_kv_a_norm.weight', rank),
    half('attn_q_a.weight', dim, queryRank),
    half('attn_q_b.weight', queryRank, heads * keyLength),
    half('attn_kv_a_mqa.weight', dim, rank + rope),
    half('attn_k_b.weight', keyLength - rope, rank, heads),
    half('attn_v_b.weight', rank, valueLength, heads),
    half('attn_output.weight', heads * valueLength, dim),
    norm('ffn_norm.weight', dim),
  ]
}

const linearOf = ({ dim }: SparseGgufShape): GgufTensor[] => {
  const { state, groups, heads, kernel } = LINEAR
  const width = 2 * state * groups + state * heads
  return [
    norm('post_attention_norm.weight', dim),
    half('attn_qkv.weight', dim, width),
    half('attn_gate.weight', dim, state * heads),
    norm('ssm_conv1d.weight', kernel, width),
    norm('ssm_dt.bias', heads),
    norm('ssm_a', heads),
    half('ssm_ba.weight', dim, heads * 2),
    norm('ssm_norm.weight', state),
    half('ssm_out.weight', state * heads, dim),
  ]
}

const denseOf = ({ dim, feedForward }: SparseGgufShape): GgufTensor[] => [
  half('ffn_gate.weight', dim, feedForward),
  half('ffn_up.weight', dim, feedForward),
  half('ffn_down.weight', feedForward, dim),
]

const expertsOf = (shape: SparseGgufShape): GgufTensor[] => {
  const { architecture, dim, feedForward, experts = 0 } = shape
  const isShared = architecture === 'deepseek2' || architecture === 'qwen3next'
  return [
    norm('ffn_gate_inp.weight', dim, experts),
    half('ffn_gate_exps.weight', dim, feedForward, experts),
    half('ffn_up_exps.weight', dim, feedForward, experts),
    half('ffn_down_exps.weight', feedForward, dim, experts),
    ...(isShared
      ? [
          half('ffn_gate_shexp.weight', dim, feedForward),
          half('ffn_up_shexp.weight', dim, feedForward),
          half('ffn_down_shexp.weight', feedForward, dim),
        ]
      : []),
    ...(architecture === 'qwen3next' ? [norm('ffn_gate_inp_shexp.weight', dim)] : []),
    ...(architecture === 'gpt-oss'
      ? [
          norm('ffn_gate_inp.bias', experts),
          norm('ffn_gate_exps.bias', feedForward, experts),
          norm('ffn_up_exps.bias', feedForward, experts),
          norm('ffn_down_exps.bias', dim, experts),
        ]
      : []),
  ]
}

const metadataOf = (shape: SparseGgufShape, vocabularySize: number): Record<string, GgufValue> => {
  const { architecture, keyLength, experts = 0, expertsUsed = 0 } = shape
  const isLatent = architecture === 'deepseek2'
  const keys: Record<string, number | undefined> = {
    vocab_size: vocabularySize,
    context_length: shape.contextTokens ?? 131_072,
    embedding_length: shape.dim,
    block_count: shape.blocks,
    feed_forward_length: shape.feedForward,
    'attention.head_count': shape.heads,
    'attention.head_count_kv': isLatent ? 1 : shape.kvHeads,
    'attention.key_length': isLatent ? LATENT.rank + LATENT.rope : keyLength,
    'attention.value_length': isLatent ? LATENT.rank : keyLength,
    'attention.sliding_window': shape.window,
    'rope.dimension_count': isLatent ? LATENT.rope : keyLength,
    ...(experts > 0 && {
      expert_count: experts,
      expert_used_count: expertsUsed,
      expert_feed_forward_length: shape.feedForward,
    }),
    ...(isLatent && {
      'attention.q_lora_rank': LATENT.queryRank,
      'attention.kv_lora_rank': LATENT.rank,
      'attention.key_length_mla': LATENT.keyLength,
      'attention.value_length_mla': LATENT.valueLength,
      leading_dense_block_count: 0,
      expert_shared_count: 1,
      expert_gating_func: 1,
    }),
    ...(architecture === 'qwen3next' && {
      'ssm.conv_kernel': LINEAR.kernel,
      'ssm.state_size': LINEAR.state,
      'ssm.group_count': LINEAR.groups,
      'ssm.time_step_rank': LINEAR.heads,
      'ssm.inner_size': LINEAR.state * LINEAR.heads,
      expert_shared_feed_forward_length: shape.feedForward,
    }),
  }
  const numbers = Object.entries(keys).flatMap(([key, value]): [string, GgufValue][] =>
    value === undefined ? [] : [[`${architecture}.${key}`, { kind: 'u32', value }]],
  )
  return {
    'general.architecture': { kind: 'string', value: architecture },
    'general.name': { kind: 'string', value: 'Berth sparse' },
    'general.file_type': { kind: 'u32', value: 1 },
    ...Object.fromEntries(numbers),
    [`${architecture}.attention.layer_norm_rms_epsilon`]: { kind: 'f32', value: 1e-5 },
    [`${architecture}.rope.freq_base`]: { kind: 'f32', value: 10_000 },
    ...(isLatent && { [`${architecture}.expert_weights_scale`]: { kind: 'f32', value: 1 } }),
  }
}
