import type { GgufValues } from './gguf-values.ts'

/** What decides on the states of blocks. */
export interface StateShape {
  readonly architecture: string
  /** Without those of a draft head. */
  readonly blocks: number
  readonly embeddingLength: number
  readonly heads: number
  readonly keyLength: number
  readonly kvHeads: readonly number[]
}

/**
 * Which blocks have a state in place of a cache.
 *
 * Source: llama.cpp v0.5.0, `load_arch_hparams` of the hybrid architectures in src/models
 */
export const recurrentBlocks = (shape: StateShape, values: GgufValues): readonly boolean[] => {
  const { architecture, blocks, kvHeads } = shape
  const interval = INTERVALS[architecture]
  if (interval !== undefined) {
    const listed = values.perBlock('attention.recurrent_layers', blocks)
    if (listed) return listed.map((each) => each !== 0)
    const every = values.number('full_attention_interval') ?? interval
    return Array.from({ length: blocks }, (_, at) => every > 0 && (at + 1) % every !== 0)
  }
  if (architecture === 'falcon-h1') return kvHeads.map(() => true)
  // A block of Nemotron-H does one thing alone: attend, keep a state, or compute.
  const computes = architecture.startsWith('nemotron_h')
    ? values.perBlock('feed_forward_length', blocks)
    : undefined
  return kvHeads.map((heads, at) => heads === 0 && (computes?.[at] ?? 0) === 0)
}

/** Every so many blocks one attends, where the header does not list them. */
const INTERVALS: Readonly<Record<string, number>> = {
  qwen3next: 4,
  qwen35: 4,
  qwen35moe: 4,
  'minimax-01': 8,
}

/**
 * Bytes of the state of one block for one sequence, at four bytes a number: what a convolution
 * looks back at, and the state itself. Undefined when the header does not tell.
 *
 * Source: llama.cpp v0.5.0, `llama_hparams::n_embd_r` and `n_embd_s`
 */
export const stateBytes = (shape: StateShape, values: GgufValues): number | undefined => {
  const numbers = stateNumbers(shape, values)
  return numbers === undefined ? undefined : numbers * 4
}

const stateNumbers = (shape: StateShape, values: GgufValues): number | undefined => {
  const { architecture, embeddingLength, heads, keyLength } = shape
  const headSize = values.number('wkv.head_size')
  if (headSize) {
    const shifts = values.number('token_shift_count') ?? 2
    return shifts * embeddingLength + embeddingLength * headSize
  }
  const looksBack = values.number('shortconv.l_cache')
  if (looksBack) return embeddingLength * (looksBack - 1)
  if (architecture === 'minimax-01') return keyLength ** 2 * heads
  const kernel = values.number('ssm.conv_kernel')
  const delta = values.number('kda.head_dim')
  if (delta) return 3 * ((kernel ?? 4) - 1) * heads * delta + delta * delta * heads
  const inner = values.number('ssm.inner_size')
  const state = values.number('ssm.state_size')
  if (!kernel || !inner || !state) return undefined
  const groups = values.number('ssm.group_count') ?? 0
  return (kernel - 1) * (inner + 2 * groups * state) + state * inner
}
