import { chainBlocks, CHAIN_BLOCKS_MAX, type PoolView } from '@berth/fleet'
import type { ModelId } from '@berth/kernel'
import type { PlacementJob } from './placement-job.ts'

/** Tokens of a full block: 2 KiB of text at four bytes a token. */
const BLOCK_TOKENS = 512

/**
 * The share of a prompt that a pool must read anew, given how many blocks of its chain the pool
 * holds. Where no prefix is known, the pool where the session ran last has what it said so far.
 */
export const uncachedFraction = (job: PlacementJob, pool: PoolView, held: number): number => {
  if (job.kvHint === 'cold') return 1
  if (job.prefix.length === 0) return pool.poolId === job.warmPoolId ? 0 : 1
  if (held === 0 || job.promptTokens === 0) return 1
  return Math.max(0, 1 - (held * blockTokensOf(job)) / job.promptTokens)
}

/** Tokens that one block of a job's chain stands for. A chain that was cut covers its beginning. */
export const blockTokensOf = (job: PlacementJob): number => {
  const blocks = chainBlocks(job.prefix)
  if (blocks === 0) return BLOCK_TOKENS
  if (job.promptTokens === 0) return BLOCK_TOKENS
  const share = job.promptTokens / blocks
  return blocks < CHAIN_BLOCKS_MAX ? share : Math.min(BLOCK_TOKENS, share)
}

/** Mixed into the hashes of a chain: the same text is another prefix for another model. FNV-1a. */
export const modelSalt = (modelId: ModelId): number => {
  let hash = 0x811c_9dc5
  for (let at = 0; at < modelId.length; at++) {
    hash = Math.imul(hash ^ modelId.charCodeAt(at), 0x0100_0193)
  }
  return hash >>> 0
}
