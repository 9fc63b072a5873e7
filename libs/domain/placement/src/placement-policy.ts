import { DEFAULT_FRESHNESS, type DeviceKind, type FreshnessPolicy } from '@berth/fleet'

/** How fast a pool is. A default's first token is that of a prompt of 1,024 tokens. */
export interface Speed {
  readonly tokensPerS: number
  readonly firstTokenMs: number
}

/**
 * How much the terms of a prediction count in the comparison of pools. All 1: the pool where the
 * job is over first. `firstToken` above 1: reading holds up others too, the streams beside it and
 * the prompts behind it, so that a pool that has the prompt cached is worth a longer wait; more for
 * `decode`: faster streams, at the price of later first tokens. 0 leaves a term out.
 */
export interface ScoringWeights {
  /** Waiting for prompts that were granted before. */
  readonly queue: number
  /** Reading the prompt, as far as it is not cached. */
  readonly firstToken: number
  readonly decode: number
}

/** The settings of placement. */
export interface PlacementPolicy {
  readonly freshness: FreshnessPolicy
  /** From the decision until the ingress has the request, in milliseconds. */
  readonly admissionLatencyMs: number
  /** What a pool without measurements is taken for, by its first device. */
  readonly defaultSpeeds: Readonly<Record<DeviceKind, Speed>>
  /** Assumed wait for a pool that is not ready, for want of a measurement. */
  readonly unreadyMs: number
  /** False: pools are told apart by the tie-breaks alone. */
  readonly isPerformanceAware: boolean
  /** False: what a pool has cached counts in no score. */
  readonly hasPrefixAffinity: boolean
  readonly weights: ScoringWeights
  /** A job with the hint `reuse` goes to its session's pool while it waits no longer than this there. */
  readonly reuseWaitMs: number
  /** How long a job may decline free slots of pools that are so slow that waiting pays; 0: never. */
  readonly fasterWaitMs: number
}

/**
 * Defaults. The speeds are deliberately low guesses for a model of 7 to 8 billion parameters in
 * 4 bits, so that a measured pool is preferred to an unmeasured one of its kind; a pool's own
 * measurements replace them after its first request. Reading counts twice: of 1 to 4, the best in
 * `bench/routing` on either of its traces.
 */
export const DEFAULT_PLACEMENT_POLICY: PlacementPolicy = {
  freshness: DEFAULT_FRESHNESS,
  admissionLatencyMs: 2,
  defaultSpeeds: {
    cpu: { tokensPerS: 5, firstTokenMs: 2_000 },
    nvidia: { tokensPerS: 40, firstTokenMs: 300 },
    nvidia_mig: { tokensPerS: 20, firstTokenMs: 400 },
    amd: { tokensPerS: 30, firstTokenMs: 400 },
    unknown: { tokensPerS: 5, firstTokenMs: 2_000 },
  },
  unreadyMs: 5_000,
  isPerformanceAware: true,
  hasPrefixAffinity: true,
  weights: { queue: 1, firstToken: 2, decode: 1 },
  reuseWaitMs: 5_000,
  fasterWaitMs: 10_000,
}
