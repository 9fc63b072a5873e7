import type { ConfigValues } from './config-values.ts'

/** What a block does with the tokens before it. */
export type BlockKind = 'full' | 'window' | 'chunk' | 'state' | 'none'

/**
 * What each block does, by `model_type` and the keys it goes by; undefined for a type that is not
 * known.
 *
 * Source: the configuration classes of transformers 4.57 and 5.5 (`layer_types` and what they fill
 * it with where a config has none)
 */
export const blockKinds = (
  values: ConfigValues,
  blocks: number,
): readonly BlockKind[] | undefined => {
  const { modelType } = values
  const all = (kind: BlockKind): BlockKind[] => Array.from({ length: blocks }, () => kind)
  const listed = values.list('layer_types')
  if (listed && (PLAIN.has(modelType) || modelType in RULES)) return fromList(listed, blocks)
  const rule = RULES[modelType]
  if (rule) return rule(values, blocks)
  if (!PLAIN.has(modelType)) return undefined
  const isWindowed = values.number('sliding_window') && values.flag('use_sliding_window') !== false
  return all(isWindowed && !OPTIONAL_WINDOW.has(modelType) ? 'window' : 'full')
}

/** All blocks attend alike. */
const PLAIN = new Set(
  `arcee baichuan bloom chatglm codellama cohere dbrx deepseek_v2 deepseek_v3 ernie4_5 ernie4_5_moe
  exaone falcon gemma glm glm4 glm4_moe gpt2 gpt_bigcode gpt_neox gptj granite granitemoe
  hunyuan_v1_dense hunyuan_v1_moe internlm2 internlm3 kimi_k2 llama mimo minicpm minimax_m2 mistral
  mixtral mpt nemotron olmo olmo2 olmoe opt orion persimmon phi phi3 phimoe qwen2 qwen2_moe
  qwen2_vl qwen2_5_vl qwen3 qwen3_moe qwen3_vl qwen3_vl_moe seed_oss smollm3 solar stablelm
  starcoder2 xverse`
    .trim()
    .split(/\s+/),
)

/** They name a window and say elsewhere whether it is used. */
const OPTIONAL_WINDOW = new Set(['qwen2', 'qwen2_moe', 'qwen3', 'qwen3_moe', 'smollm3'])

type Rule = (values: ConfigValues, blocks: number) => readonly BlockKind[] | undefined

/** Of every `every` blocks one looks back over everything. */
const windowed =
  (every: number): Rule =>
  (values, blocks) => {
    const period = values.number('sliding_window_pattern') ?? every
    if (!values.number('sliding_window') || period === 0) return repeat(blocks, () => 'full')
    return repeat(blocks, (at) => ((at + 1) % period === 0 ? 'full' : 'window'))
  }

const linear: Rule = (values, blocks) => {
  const every = values.number('full_attention_interval') ?? 4
  return every > 0 ? repeat(blocks, (at) => ((at + 1) % every === 0 ? 'full' : 'state')) : undefined
}

const RULES: Readonly<Record<string, Rule>> = {
  cohere2: windowed(4),
  exaone4: windowed(4),
  gemma2: windowed(2),
  gemma3: windowed(6),
  gemma3n: windowed(5),
  gemma4: windowed(6),
  gpt_oss: windowed(2),
  olmo3: windowed(4),
  qwen3_next: linear,
  qwen3_5: linear,
  qwen3_5_moe: linear,
  mamba: (_, blocks) => repeat(blocks, () => 'state'),
  mamba2: (_, blocks) => repeat(blocks, () => 'state'),
  // Every fourth block looks back over everything, the others within a chunk.
  llama4: (values, blocks) =>
    repeat(blocks, (at) =>
      (at + 1) % 4 === 0 || !values.number('attention_chunk_size') ? 'full' : 'chunk',
    ),
  jamba: (values, blocks) => {
    const period = values.number('attn_layer_period') ?? 8
    const offset = values.number('attn_layer_offset') ?? 4
    return period > 0
      ? repeat(blocks, (at) => (at % period === offset ? 'full' : 'state'))
      : undefined
  },
  nemotron_h: (values, blocks) => {
    const pattern = values.text('hybrid_override_pattern')
    if (pattern?.length !== blocks) return undefined
    return [...pattern].map((mark) => (mark === '*' ? 'full' : mark === 'M' ? 'state' : 'none'))
  },
}

const repeat = (blocks: number, kindAt: (at: number) => BlockKind): BlockKind[] =>
  Array.from({ length: blocks }, (_, at) => kindAt(at))

const LISTED: Readonly<Record<string, BlockKind>> = {
  full_attention: 'full',
  attention: 'full',
  sliding_attention: 'window',
  chunked_attention: 'chunk',
  linear_attention: 'state',
  mamba: 'state',
  mamba2: 'state',
}

const fromList = (listed: readonly unknown[], blocks: number): BlockKind[] | undefined => {
  const kinds = listed.map((each) => (typeof each === 'string' ? LISTED[each] : undefined))
  if (kinds.length !== blocks) return undefined
  return kinds.every((kind) => kind !== undefined) ? kinds : undefined
}
