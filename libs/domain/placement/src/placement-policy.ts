import { DEFAULT_FRESHNESS, type DeviceKind, type FreshnessPolicy } from '@berth/fleet'

/** How fast a pool is. */
export interface Speed {
  readonly tokensPerS: number
  readonly firstTokenMs: number
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
}

/**
 * Defaults. The speeds are deliberately low guesses for a model of 7 to 8 billion parameters in
 * 4 bits, so that a measured pool is preferred to an unmeasured one of its kind; a pool's own
 * measurements replace them after its first request.
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
}
