/** A device of a pool's mask, as it was measured. What nobody could tell is absent. */
export interface EstimateDevice {
  readonly deviceId: string
  readonly kind: 'cpu' | 'gpu'
  readonly totalBytes?: number
  readonly freeBytes?: number
}

/** One term of an estimate, over all devices and main memory. */
export interface EstimateTerm {
  readonly name:
    'weights' | 'kv_cache' | 'recurrent' | 'compute' | 'output' | 'overhead' | 'declared'
  readonly bytes: number
  /** The arithmetic, for people. */
  readonly formula: string
}

/** What an engine will take for a model. The terms add up to `requiredBytes` and `hostBytes`. */
export interface KnownEstimate {
  readonly kind: 'known'
  readonly terms: readonly EstimateTerm[]
  /** Of each device of the mask, in its order. */
  readonly perDevice: readonly { readonly deviceId: string; readonly bytes: number }[]
  /** Over all devices of the mask. */
  readonly requiredBytes: number
  /** Of main memory, besides: 0 where the CPU itself is the device. */
  readonly hostBytes: number
  /** The engine takes exactly this, whatever it needs: a claim of it has no buffer. */
  readonly isReservation: boolean
  /** Cached tokens there will be room for, where the engine takes what is left for its cache. */
  readonly kvRoomTokens?: number
}

/** An estimate is refused where the engine itself would refuse to start. */
export type MemoryEstimate =
  | KnownEstimate
  | {
      readonly kind: 'refused'
      /** With the figures and what to change. */
      readonly reason: string
      readonly terms: readonly EstimateTerm[]
      /** Of the device that is short, and what it would need. */
      readonly deviceId: string
      readonly neededBytes: number
      readonly allowedBytes: number
    }
  /** Nothing was guessed: what is missing, and what to do. */
  | { readonly kind: 'unknown'; readonly reason: string }
