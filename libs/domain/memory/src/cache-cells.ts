import type { AllocatedPlan } from './memory-plan.ts'
import type { BlockCache } from './model-facts.ts'

/** Cells of llama.cpp's cache: places for tokens, in `streams` parts of equal size. */
export interface CacheCells {
  /** Parts of the cache: one for each sequence, or one that all share. */
  readonly streams: number
  /** In each part, of blocks that look back over everything. */
  readonly cells: number
  /** Tokens computed at once. */
  readonly batchTokens: number
}

/**
 * How llama.cpp rounds a context: to 256, and each sequence's part to 256 again.
 *
 * Source: llama.cpp v0.5.0, `llama_context::llama_context` in src/llama-context.cpp
 */
export const cacheCells = (plan: AllocatedPlan): CacheCells => {
  const padded = pad(plan.kvTokens)
  const batchTokens = Math.min(plan.batchTokens, plan.kvTokens)
  if (plan.isUnified) return { streams: 1, cells: padded, batchTokens }
  const streams = Math.max(1, plan.sequences)
  return { streams, cells: pad(Math.floor(padded / streams)), batchTokens }
}

/**
 * Cells in each part of a block: a window keeps itself and the batch that is computed.
 *
 * Source: llama.cpp v0.5.0, `llama_kv_cache_iswa` in src/llama-kv-cache-iswa.cpp
 */
export const cellsOfBlock = (
  { windowTokens }: Pick<BlockCache, 'windowTokens'>,
  { cells, batchTokens }: CacheCells,
  plan: AllocatedPlan,
): number => {
  if (windowTokens === 0 || plan.isWindowIgnored) return cells
  const windows = plan.isUnified ? Math.max(1, plan.sequences) : 1
  return pad(Math.min(cells, windowTokens * windows + batchTokens))
}

/** Bytes each block keeps of tokens, as llama.cpp allocates them. */
export const cacheBytes = (caches: readonly BlockCache[], plan: AllocatedPlan): number[] => {
  const all = cacheCells(plan)
  const widest = Math.max(0, ...caches.map(({ valueNumbers }) => valueNumbers))
  return caches.map((block) => {
    // Without flash attention values lie across, and all blocks have rows of one width.
    const isAcross = plan.hasFlashAttention === false && block.valueNumbers > 0
    const keys = block.keyNumbers * plan.keyBytes
    const values = (isAcross ? widest : block.valueNumbers) * plan.valueBytes
    return (keys + values) * cellsOfBlock(block, all, plan) * all.streams
  })
}

const pad = (tokens: number): number => Math.ceil(tokens / 256) * 256
