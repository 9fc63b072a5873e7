import type { PoolView } from '@berth/fleet'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy, Speed } from './placement-policy.ts'

/** True when a pool has no measurements and its device kind's default speed is used. */
export const isDefaultSpeed = (pool: PoolView): boolean => pool.snapshot.performance === undefined

/** Tokens a second of one stream, measured or by default. */
export const speedOf = (pool: PoolView, policy: PlacementPolicy): Speed =>
  pool.snapshot.performance ?? policy.defaultSpeeds[pool.deviceKind]

/** How long a job occupies its slot, in milliseconds. */
export const serviceMs = (
  job: PlacementJob,
  pool: PoolView,
  policy: PlacementPolicy,
  uncached = 1,
): number => {
  if (pool.msPerToken > 0) {
    return pool.firstTokenMs * uncached + job.expectedTokens * pool.msPerToken
  }
  const { tokensPerS, firstTokenMs } = policy.defaultSpeeds[pool.deviceKind]
  return firstTokenMs * uncached + (job.expectedTokens / Math.max(tokensPerS, 0.001)) * 1_000
}

/**
 * When a job that starts now is over, as whole milliseconds, so that "equal" means something:
 * `admission_latency + first_token + tokens_out / tokens_per_s * 1000`.
 */
export const predictEndMs = (
  job: PlacementJob,
  pool: PoolView,
  policy: PlacementPolicy,
  uncached = 1,
): number =>
  policy.isPerformanceAware
    ? Math.round(policy.admissionLatencyMs + serviceMs(job, pool, policy, uncached))
    : 0
