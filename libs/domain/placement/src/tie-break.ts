import { estKvBytesOf, slotsFree, type PoolView } from '@berth/fleet'
import { speedOf } from './predict.ts'
import { cachedBlocks, type Workload } from './workload.ts'

/**
 * Orders two pools with equal scores: negative when `a` is better. Warmth (the pool of the session,
 * then who has more of the prompt), fewest leases, most slots free, most memory left with the job's
 * cache taken, highest tokens a second, and the pool id, which ends it: never chance, never the
 * order of the pools. Source: seed 004, tie-breakers 1 to 5.
 */
export const breakTie = (a: PoolView, b: PoolView, work: Workload): number =>
  byWarmth(a, b, work) ||
  a.reserved - b.reserved ||
  slotsFree(b) - slotsFree(a) ||
  byMemory(a, b, work) ||
  bySpeed(a, b, work) ||
  (a.poolId < b.poolId ? -1 : 1)

/** Tie-breaker 1. */
export const byWarmth = (a: PoolView, b: PoolView, work: Workload): number => {
  const { warmPoolId, kvHint } = work.job
  if (kvHint === 'cold') return 0
  return (
    Number(b.poolId === warmPoolId) - Number(a.poolId === warmPoolId) ||
    cachedBlocks(work, b) - cachedBlocks(work, a)
  )
}

/** Tie-breaker 3. */
export const byMemory = (a: PoolView, b: PoolView, { job }: Workload): number =>
  memoryLeft(b) - estKvBytesOf(b, job) - (memoryLeft(a) - estKvBytesOf(a, job))

/** Tie-breaker 4. */
export const bySpeed = (a: PoolView, b: PoolView, { policy }: Workload): number =>
  speedOf(b, policy).tokensPerS - speedOf(a, policy).tokensPerS

/** Of an engine that reserves its KV cache that cache's, else of the devices; 0 when not known. */
const memoryLeft = ({ kvFreeBytes }: PoolView): number =>
  kvFreeBytes === Infinity ? 0 : kvFreeBytes
