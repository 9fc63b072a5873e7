import type { SparseGgufShape } from '@berth/model-files'
import type { EngineOptions } from '@berth/supervision'

/** A model and how it is run. */
export interface EstimateCase {
  readonly name: string
  readonly shape: SparseGgufShape
  readonly contextLength: number
  readonly slots: number
  readonly options: EngineOptions
}

const SMALL: SparseGgufShape = {
  ...{ architecture: 'llama', blocks: 4, dim: 512, heads: 8, kvHeads: 2, keyLength: 64 },
  ...{ feedForward: 1_536, contextTokens: 131_072 },
}
/** Blocks of Llama 3 8B, a quarter of them: 4 GB of holes. */
const LARGE: SparseGgufShape = {
  ...{ architecture: 'llama', blocks: 8, dim: 4_096, heads: 32, kvHeads: 8, keyLength: 128 },
  ...{ feedForward: 14_336, vocabularySize: 32_000, contextTokens: 131_072 },
}
/** Of Mixtral's kind: 6 GB of holes. */
const EXPERTS: SparseGgufShape = {
  ...{ architecture: 'llama', blocks: 8, dim: 2_048, heads: 16, kvHeads: 4, keyLength: 128 },
  ...{ feedForward: 7_168, experts: 8, expertsUsed: 2, contextTokens: 32_768 },
}
const WINDOWED: SparseGgufShape = {
  ...{ architecture: 'gemma3', blocks: 12, dim: 1_152, heads: 4, kvHeads: 1, keyLength: 256 },
  ...{ feedForward: 6_912, window: 1_024, contextTokens: 131_072 },
}
const LATENT: SparseGgufShape = {
  ...{ architecture: 'deepseek2', blocks: 6, dim: 2_048, heads: 16, kvHeads: 1, keyLength: 576 },
  ...{ feedForward: 1_024, experts: 8, expertsUsed: 2, contextTokens: 131_072 },
}
const HYBRID: SparseGgufShape = {
  ...{ architecture: 'qwen3next', blocks: 8, dim: 1_024, heads: 8, kvHeads: 2, keyLength: 128 },
  ...{ feedForward: 512, experts: 8, expertsUsed: 2, contextTokens: 131_072 },
}
const SINKS: SparseGgufShape = {
  ...{ architecture: 'gpt-oss', blocks: 8, dim: 1_024, heads: 16, kvHeads: 4, keyLength: 64 },
  ...{ feedForward: 1_024, experts: 8, expertsUsed: 4, window: 128, contextTokens: 131_072 },
}

const run = (
  name: string,
  shape: SparseGgufShape,
  [contextLength, slots]: readonly [number, number],
  options: EngineOptions = {},
): EstimateCase => ({ name, shape, contextLength, slots, options })

/** Architectures, contexts, slots and kinds of caches, a few of each: what changes memory. */
export const ESTIMATE_GRID: readonly EstimateCase[] = [
  run('llama', SMALL, [512, 1]),
  run('llama, odd context', SMALL, [1_000, 3]),
  run('llama, long context', SMALL, [65_536, 1]),
  run('llama, one cache', SMALL, [4_096, 4], { kv_unified: true }),
  run('llama, q8_0 cache', SMALL, [8_192, 2], { cache_type_k: 'q8_0', cache_type_v: 'q8_0' }),
  run('llama, q4_0 keys', SMALL, [8_192, 2], { cache_type_k: 'q4_0' }),
  run('llama, f32 cache', SMALL, [8_192, 2], { cache_type_k: 'f32', cache_type_v: 'f32' }),
  run('llama, small batch', SMALL, [8_192, 4], { ubatch_size: 128 }),
  run('llama, no flash attention', SMALL, [4_096, 2], { flash_attn: 'off' }),
  run('blocks of an 8B', LARGE, [2_048, 1]),
  run('blocks of an 8B, slots', LARGE, [1_024, 3], { cache_type_k: 'q8_0', cache_type_v: 'q8_0' }),
  run('experts', EXPERTS, [4_096, 2]),
  run('windows', WINDOWED, [8_192, 2]),
  run('windows, long context', WINDOWED, [32_768, 1]),
  run('windows, ignored', WINDOWED, [8_192, 2], { swa_full: true }),
  run('latent', LATENT, [8_192, 2]),
  run('hybrid', HYBRID, [4_096, 3]),
  run('windows and experts', SINKS, [16_384, 2]),
]

/** Models that are read whole, so that the process holds what it says. */
export const MEASURED_GRID: readonly EstimateCase[] = [
  run('llama, read whole', { ...SMALL, feedForward: 16_384 }, [4_096, 2], { load_mode: 'none' }),
  run('windows, read whole', { ...WINDOWED, blocks: 6 }, [4_096, 1], { load_mode: 'none' }),
  run('tiny, read whole', { ...SMALL, blocks: 1, dim: 256, feedForward: 512 }, [256, 1], {
    load_mode: 'none',
  }),
]
