import type { BlockCache, ModelWidths } from '@berth/memory'
import { type BlockKind, blockKinds } from './config-kinds.ts'
import { configStateBytes } from './config-states.ts'
import type { ConfigValues } from './config-values.ts'
import { MAX_BLOCKS } from './header-number.ts'

/** What a config tells of what is kept and computed. */
export interface ConfigShape {
  readonly caches: readonly BlockCache[]
  readonly widths: ModelWidths
}

/**
 * What each block of a model keeps, as vLLM caches it. Undefined for a type that is not known and
 * where a number is missing: nothing is guessed.
 */
export const configShape = (values: ConfigValues): ConfigShape | undefined => {
  const blocks = values.number('num_hidden_layers', 'n_layer', 'num_layers')
  const embedding = values.number('hidden_size', 'n_embd', 'd_model')
  if (!blocks || !embedding || blocks > MAX_BLOCKS) return undefined
  const kinds = blockKinds(values, blocks)
  if (!kinds) return undefined
  const attends = kinds.some((kind) => kind !== 'state' && kind !== 'none')
  const heads = headsOf(values, embedding)
  if (attends && !heads) return undefined
  const states = kinds.includes('state') ? configStateBytes(values, embedding) : 0
  if (states === undefined) return undefined
  const own = blocks - (values.number('num_kv_shared_layers') ?? 0)
  const caches = kinds.map((kind, at): BlockCache => {
    if (kind === 'state') return { ...EMPTY, stateBytes: states }
    if (kind === 'none' || !heads || at >= own) return EMPTY
    return attentionOf(values, heads, kind)
  })
  return { caches, widths: widthsOf(values, heads) }
}

const EMPTY: BlockCache = {
  ...{ keyNumbers: 0, valueNumbers: 0, kvHeads: 0 },
  ...{ windowTokens: 0, stateBytes: 0 },
}

interface Heads {
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
}

const headsOf = (values: ConfigValues, embedding: number): Heads | undefined => {
  const heads = values.number('num_attention_heads', 'n_head', 'n_heads')
  if (!heads) return undefined
  const headDim =
    values.number('head_dim', 'attention_head_dim', 'kv_channels') ?? Math.floor(embedding / heads)
  return { heads, headDim, kvHeads: kvHeadsOf(values, heads) }
}

/** Falcon says `multi_query` also of models with groups; only the old decoder means it. */
const kvHeadsOf = (values: ConfigValues, heads: number): number => {
  const isNewFalcon = values.flag('new_decoder_architecture') === true
  if (values.flag('multi_query') === true && !isNewFalcon) return 1
  return values.number('num_key_value_heads', 'num_kv_heads', 'multi_query_group_num') ?? heads
}

const attentionOf = (values: ConfigValues, heads: Heads, kind: BlockKind): BlockCache => {
  const latent = values.number('kv_lora_rank')
  const rope = values.number('qk_rope_head_dim')
  if (latent && rope !== undefined) return { ...EMPTY, keyNumbers: latent + rope }
  const isFull = kind === 'full'
  const kvHeads = (isFull && values.number('num_global_key_value_heads')) || heads.kvHeads
  const headDim = (isFull && values.number('global_head_dim')) || heads.headDim
  const window = kind === 'chunk' ? 'attention_chunk_size' : 'sliding_window'
  return {
    keyNumbers: kvHeads * headDim,
    valueNumbers: kvHeads * (values.number('v_head_dim') ?? headDim),
    ...{ kvHeads, windowTokens: isFull ? 0 : (values.number(window) ?? 0), stateBytes: 0 },
  }
}

const widthsOf = (values: ConfigValues, heads: Heads | undefined): ModelWidths => ({
  heads: heads?.heads ?? 0,
  queryNumbers: heads ? heads.heads * heads.headDim : 0,
  feedForward: values.number('intermediate_size', 'ffn_hidden_size', 'n_inner') ?? 0,
  expertsUsed: values.number('num_experts_per_tok', 'experts_per_token', 'top_k_experts') ?? 0,
  expertFeedForward: values.number('moe_intermediate_size') ?? 0,
})
