import { chainBlocks, CHAIN_BLOCKS_MAX, type PoolView } from '@berth/fleet'
import type { ModelId } from '@berth/kernel'
import type { PlacementJob } from './placement-job.ts'

/** Tokens of a full block: 2 KiB of text at four bytes a token. */
const BLOCK_TOKENS = 512

/**
 * The share of a prompt that a pool must read anew, given how many blocks of its chain the pool
 * holds. Where no prefix is known, the pool where the session ran last has all that was said there.
 */
export const uncachedFraction = (job: PlacementJob, pool: PoolView, held: number): number => {
  if (job.kvHint === 'cold') return 1
  if (job.prefix.length === 0) return pool.poolId === job.warmPoolId ? uncachedOfSession(job) : 1
  if (held === 0 || job.promptTokens === 0) return 1
  return Math.max(0, 1 - (held * blockTokensOf(job)) / job.promptTokens)
}

const uncachedOfSession = ({ promptTokens, warmTokens = promptTokens }: PlacementJob): number =>
  promptTokens === 0 ? 0 : Math.max(0, 1 - warmTokens / promptTokens)

/** Tokens that one block of a job's chain stands for. A chain that was cut covers its beginning. */
export const blockTokensOf = ({ prefix, promptTokens }: PlacementJob): number => {
  const blocks = chainBlocks(prefix)
  if (blocks === 0 || promptTokens === 0) return BLOCK_TOKENS
  const share = promptTokens / blocks
  return blocks < CHAIN_BLOCKS_MAX ? share : Math.min(BLOCK_TOKENS, share)
}

/** A number that stands for a model, also in the hashes of its chains. FNV-1a. */
export const modelKey = (modelId: ModelId): number => {
  let hash = 0x811c_9dc5
  for (let at = 0; at < modelId.length; at++) {
    hash = Math.imul(hash ^ modelId.charCodeAt(at), 0x0100_0193)
  }
  return hash >>> 0
}
