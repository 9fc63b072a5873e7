import type { InstanceId, ModelId, PoolId } from '@berth/kernel'

/** A pool that refused or failed this job, and the instance that did. */
export interface Exclusion {
  readonly poolId: PoolId
  readonly instanceId: InstanceId
}

/** What placement needs to know of a request. Empty texts and lists, and 0, mean "no demand". */
export interface PlacementJob {
  readonly modelId: ModelId
  /** Such as `/v1/chat/completions`. */
  readonly route: string
  /** Tokens of context the job needs; 0 when not known. */
  readonly requiredCtx: number
  /** Tokens of the prompt; 0 when not known. */
  readonly promptTokens: number
  /**
   * The prompt's beginning as a chain of 64-bit hashes, two words for each block, low word first.
   * A block's hash stands for everything up to its end.
   */
  readonly prefix: Uint32Array
  /** Tokens the job will probably produce; at least 1. */
  readonly expectedTokens: number
  /** The most the job may produce, which its KV cache must have room for; 0: no bound. */
  readonly maxTokens?: number
  /** Jobs that get a slot before this one. Moves the predicted start only. */
  readonly queueAhead: number
  /** How long it has waited already, in milliseconds: bounds how long it waits for warmth. */
  readonly waitedMs?: number
  /** How long it may yet decline free slots for one of a faster pool, in ms; absent: not at all. */
  readonly declineMs?: number
  readonly exclusions: readonly Exclusion[]
  /** When the exclusions end even if the instance lives on, on the caller's clock. */
  readonly exclusionsEndMs: number
  /** The pool where this job's session ran last. */
  readonly warmPoolId?: PoolId
  /** Tokens of its prompt and answer there; absent: as many as this prompt has. */
  readonly warmTokens?: number
  /** Whether warmth counts: `cold` ignores it, `reuse` waits for it within bounds. */
  readonly kvHint: KvHint
  /** This pool or an error, never another. */
  readonly pinPoolId?: PoolId
  readonly preferPools: readonly PoolId[]
  readonly avoidPools: readonly PoolId[]
  /** Exactly these devices. */
  readonly requireDeviceMask: readonly string[]
  /** Whether other pools may serve when no preferred one can now. */
  readonly allowFallback: boolean
  readonly minVramBytes: number
  readonly minComputeCap: number
  readonly quantization: string
  readonly requiredExtensions: readonly string[]
  readonly engine: string
  /** Memory the job's KV cache takes; absent: estimated from the model and `requiredCtx`. */
  readonly estKvBytes?: number
  /** Only on a pool that repeats itself byte for byte, and has what the next four say. */
  readonly isStrict: boolean
  readonly seed?: bigint
  readonly samplerProfileVersion: string
  readonly engineVersion: string
  readonly modelDigest: string
}

/** What a client says of the KV cache: nothing, to use it again, or not to count on it. */
export type KvHint = 'none' | 'reuse' | 'cold'
