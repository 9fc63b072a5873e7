import type { BlockCache, ModelWidths } from '@berth/memory'
import { memoryOfArchitecture } from './gguf-architectures.ts'
import { recurrentBlocks, type StateShape, stateBytes } from './gguf-states.ts'
import type { GgufValues } from './gguf-values.ts'
import { ggufWindows } from './gguf-windows.ts'
import { MAX_BLOCKS } from './header-number.ts'

/** What the header tells of what is kept and computed. */
export interface GgufShape {
  readonly caches: readonly BlockCache[]
  readonly widths: ModelWidths
}

/**
 * What each block of a GGUF model keeps, as llama.cpp allocates it. Undefined for architectures it
 * keeps otherwise, for unknown ones, and where the header lacks a number: nothing is guessed.
 *
 * Source: llama.cpp v0.5.0, `llama_model_base::load_hparams` and the constructor of
 * `llama_kv_cache`
 */
export const ggufShape = (architecture: string, values: GgufValues): GgufShape | undefined => {
  const memory = memoryOfArchitecture(architecture)
  const all = values.number('block_count')
  const embeddingLength = values.number('embedding_length')
  if (!memory || !all || !embeddingLength || all > MAX_BLOCKS) return undefined
  const drafts = Math.min(values.number('nextn_predict_layers') ?? 0, all)
  const shape = attentionShape(architecture, values, { blocks: all, embeddingLength })
  if (!shape) return undefined
  const blocks = all - drafts
  const state = stateShape(shape, { architecture, blocks, embeddingLength })
  const states = memory === 'hybrid' || memory === 'recurrent' ? stateBytes(state, values) : 0
  if (states === undefined) return undefined
  const isRecurrent = recurrencies(memory, state, values)
  const windows = ggufWindows(architecture, values, blocks)
  const own = ownCaches(architecture, values, all)
  const caches = Array.from({ length: all }, (_, at): BlockCache => {
    if (at >= blocks) return EMPTY
    const isAttending = memory === 'attention' || architecture === 'falcon-h1' || !isRecurrent[at]
    const attends = memory !== 'none' && memory !== 'recurrent' && isAttending && at < own
    return {
      ...(attends ? attentionOf(shape, at, windows[at]!) : EMPTY),
      stateBytes: isRecurrent[at] ? states : 0,
    }
  })
  return { caches, widths: widthsOf(shape, values, all) }
}

const EMPTY: BlockCache = {
  ...{ keyNumbers: 0, valueNumbers: 0, kvHeads: 0 },
  ...{ windowTokens: 0, stateBytes: 0 },
}

interface AttentionShape {
  readonly heads: readonly number[]
  readonly kvHeads: readonly number[]
  readonly keyLength: number
  readonly valueLength: number
  /** Of blocks with a window. */
  readonly windowKeyLength: number
  readonly windowValueLength: number
  readonly isLatent: boolean
}

const attentionShape = (
  architecture: string,
  values: GgufValues,
  { blocks, embeddingLength }: { readonly blocks: number; readonly embeddingLength: number },
): AttentionShape | undefined => {
  const none = Array.from({ length: blocks }, () => 0)
  const isFree = memoryOfArchitecture(architecture) === 'recurrent'
  const heads = values.perBlock('attention.head_count', blocks) ?? (isFree ? none : undefined)
  if (!heads) return undefined
  const kvHeads = values.perBlock('attention.head_count_kv', blocks) ?? heads
  const even = Math.floor(embeddingLength / (heads.find((each) => each > 0) ?? Infinity))
  const keyLength = values.number('attention.key_length') ?? even
  const valueLength = values.number('attention.value_length') ?? even
  return {
    ...{ heads, kvHeads, keyLength, valueLength },
    windowKeyLength: values.number('attention.key_length_swa') ?? keyLength,
    windowValueLength: values.number('attention.value_length_swa') ?? valueLength,
    // Converters that knew of it write one head, whose keys are the latent numbers and the rope.
    isLatent: values.number('attention.key_length_mla') !== undefined,
  }
}

const attentionOf = (shape: AttentionShape, at: number, windowTokens: number): BlockCache => {
  const kvHeads = shape.kvHeads[at]!
  const isWindowed = windowTokens > 0
  const keys = isWindowed ? shape.windowKeyLength : shape.keyLength
  const values = isWindowed ? shape.windowValueLength : shape.valueLength
  return {
    keyNumbers: kvHeads * keys,
    valueNumbers: shape.isLatent ? 0 : kvHeads * values,
    kvHeads: shape.isLatent ? 0 : kvHeads,
    ...{ windowTokens, stateBytes: 0 },
  }
}

/** Blocks from the first that have a cache of their own: those behind use the last ones'. */
const ownCaches = (architecture: string, values: GgufValues, blocks: number): number => {
  if (architecture === 'gemma3n') return 20
  if (architecture !== 'gemma4') return blocks
  return blocks - (values.number('attention.shared_kv_layers') ?? 0)
}

const stateShape = (
  { heads, kvHeads, keyLength }: AttentionShape,
  of: Pick<StateShape, 'architecture' | 'blocks' | 'embeddingLength'>,
): StateShape => ({
  ...of,
  ...{ keyLength, kvHeads: kvHeads.slice(0, of.blocks) },
  heads: heads.find((each) => each > 0) ?? 0,
})

const recurrencies = (
  memory: ReturnType<typeof memoryOfArchitecture>,
  state: StateShape,
  values: GgufValues,
): readonly boolean[] => {
  if (memory === 'recurrent') return Array.from({ length: state.blocks }, () => true)
  return memory === 'hybrid' ? recurrentBlocks(state, values) : []
}

const widthsOf = (shape: AttentionShape, values: GgufValues, blocks: number): ModelWidths => {
  const largest = (key: string): number => Math.max(0, ...(values.perBlock(key, blocks) ?? []))
  const heads = Math.max(0, ...shape.heads)
  return {
    heads,
    queryNumbers: heads * Math.max(shape.keyLength, shape.windowKeyLength),
    feedForward: largest('feed_forward_length'),
    expertsUsed: largest('expert_used_count'),
    expertFeedForward: largest('expert_feed_forward_length'),
    ...stateWidths(values),
  }
}

const stateWidths = (values: GgufValues): Partial<ModelWidths> => {
  const inner = values.number('ssm.inner_size')
  const state = values.number('ssm.state_size')
  if (!inner || !state) return {}
  const groups = values.number('ssm.group_count') ?? 0
  return { stateWidth: inner + 2 * groups * state, stateInner: inner }
}
