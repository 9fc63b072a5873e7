import { estKvBytesOf, kvTokensOf, type PoolView } from '@berth/fleet'
import { judge, type Question } from './judge.ts'
import type { PlacementReason } from './verdict.ts'

/** A pool that will not do, and why. */
export interface Obstacle {
  readonly pool: PoolView
  readonly reason: PlacementReason
}

/** Sentences of one answer. */
const ADVICE_MAX = 6

/**
 * What would have to change for a job to run: a sentence for each reason, in the order of the
 * obstacles, about the pool that comes nearest. A feasible one among them is a pool that the job
 * passes over for its session's.
 */
export const adviseOn = (question: Question, obstacles: readonly Obstacle[]): string[] => {
  const byReason = new Map<PlacementReason, PoolView[]>()
  for (const { reason, pool } of obstacles) {
    const pools = byReason.get(reason)
    if (pools) pools.push(pool)
    else byReason.set(reason, [pool])
  }
  const sentences = [...byReason].map(([reason, pools]) => SENTENCES[reason](question, pools))
  const advice = sentences.filter((sentence) => sentence !== '').slice(0, ADVICE_MAX)
  return advice.length > 0 ? advice : [`Run a pool that has the model ${question.job.modelId}.`]
}

/** At least one pool. */
type Pools = readonly PoolView[]
type Sentence = (question: Question, pools: Pools) => string

const contextAdvice: Sentence = ({ job }, pools) => {
  const { contextLength, poolId } = most(pools, (pool) => pool.contextLength)
  return (
    `Ask for at most ${contextLength} tokens of context (pool ${poolId}), ` +
    `or run a pool with ${job.requiredCtx}.`
  )
}

const memoryAdvice: Sentence = ({ job }, pools) => {
  const { poolId, vramTotalBytes, vramFreeBytes } = most(pools, (pool) => pool.vramTotalBytes)
  const needed = job.minVramBytes
  return vramTotalBytes < needed
    ? `Ask for at most ${vramTotalBytes} bytes of video memory (pool ${poolId}), ` +
        `or add a device that holds ${needed}.`
    : `Wait until ${needed} bytes of video memory are free on ${poolId}; ${vramFreeBytes} are.`
}

const cacheAdvice: Sentence = ({ job }, pools) => {
  const nearest = most(pools, (pool) => pool.kvTotalBytes - estKvBytesOf(pool, job))
  const { poolId, kvTotalBytes, kvFreeBytes } = nearest
  const needed = estKvBytesOf(nearest, job)
  if (needed <= kvTotalBytes) {
    return `Wait until ${needed} bytes are free for caches on ${poolId}; ${kvFreeBytes} are.`
  }
  return job.estKvBytes === undefined
    ? `Ask for less context: the cache of ${kvTokensOf(nearest, job)} tokens takes ${needed} bytes, ` +
        `${poolId} has ${kvTotalBytes}.`
    : `Ask for at most ${kvTotalBytes} bytes of cache (pool ${poolId}).`
}

const capabilityAdvice: Sentence = ({ job }, pools) => {
  const newest = most(pools, ({ snapshot }) => snapshot.computeCapability ?? 0)
  return (
    `Ask for compute capability ${newest.snapshot.computeCapability ?? 0} or less ` +
    `(pool ${newest.poolId}), or add a device with ${job.minComputeCap}.`
  )
}

const SENTENCES: Readonly<Record<PlacementReason, Sentence>> = {
  INSUFFICIENT_CTX: contextAdvice,
  MIN_VRAM_UNMET: memoryAdvice,
  INSUFFICIENT_VRAM: cacheAdvice,
  COMPUTE_CAPABILITY_TOO_LOW: capabilityAdvice,
  QUANTIZATION_UNSUPPORTED: ({ job }, pools) =>
    `Run ${job.modelId} on an engine with ${job.quantization}, or leave the quantization open ` +
    `(${named(pools)}).`,
  EXTENSIONS_UNSATISFIED: ({ job }, pools) =>
    `Run an engine with ${job.requiredExtensions.join(', ')}, or ask for none that ` +
    `${named(pools)} lacks.`,
  ENGINE_UNAVAILABLE: ({ job }, pools) =>
    `Run ${job.modelId} on ${job.engine}, or leave the engine open (${named(pools)}).`,
  DEVICE_MASK_UNSATISFIED: (_, [pool]) =>
    `Ask for the devices of a pool, such as ${pool?.snapshot.deviceMask.join(', ') ?? ''} ` +
    `(pool ${pool?.poolId ?? ''}), or for none.`,
  UNSUPPORTED_ROUTE: ({ job }, pools) =>
    `Run ${job.modelId} on an engine that supports ${job.route}; ${named(pools)} does not.`,
  DETERMINISM_UNSATISFIED: ({ job }) =>
    `Declare a pool of ${job.modelId} strict, with all that the job names, or send the job as ` +
    `best effort.`,
  POOL_AVOIDED: (_, pools) => `Take ${named(pools)} off the list of avoided pools.`,
  NO_PREFERRED_FEASIBLE: (_, pools) => `Allow a fallback: ${named(pools)} could take the job.`,
  POOL_FAILED: (_, pools) => `Repair and start ${named(pools)}: its engine has given up.`,
  POOL_UNREADY: (_, pools) => `Wait for ${named(pools)}, or see why it is not ready.`,
  POOL_EXCLUDED: (_, pools) => `Wait: ${named(pools)} refused this job a moment ago.`,
  MODEL_LOADING: ({ job }, pools) => `Wait for ${named(pools)} to load ${job.modelId}.`,
  NO_CAPACITY: (_, pools) =>
    `Wait for one of ${slots(pools)} slots of ${named(pools)}, or add a pool.`,
  MODEL_INCOMPATIBLE: ({ job }, pools) => {
    const failed = pools.filter(({ residencies }) => residencies.has(job.modelId))
    return failed.length === 0 ? '' : `See why ${named(failed)} could not load ${job.modelId}.`
  },
  PINNED_POOL_INFEASIBLE: (question, pools) => {
    const able = pools.filter((pool) => judge(question, pool).when === 'now')
    return able.length === 0 ? '' : `Take the pin off: ${named(able)} could take the job.`
  },
  MODEL_NOT_FOUND: () => '',
  // Only of a job that waits for the pool its session is warm in.
  FEASIBLE: (_, pools) => `Leave the hint reuse out: ${named(pools)} could take the job now.`,
}

/** The pool with the most; the first of the list where several have as much. */
const most = (pools: Pools, amount: (pool: PoolView) => number): PoolView =>
  pools.reduce((best, pool) => (amount(pool) > amount(best) ? pool : best))

/** At most three by name. */
const named = (pools: Pools): string => {
  const ids = pools.slice(0, 3).map(({ poolId }) => poolId)
  return pools.length > 3 ? `${ids.join(', ')} and ${pools.length - 3} more` : ids.join(', ')
}

const slots = (pools: Pools): number => pools.reduce((sum, { slotsTotal }) => sum + slotsTotal, 0)
