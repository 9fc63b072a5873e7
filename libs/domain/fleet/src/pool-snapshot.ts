import type { InstanceId, LeaseId, ModelId, PoolId } from '@berth/kernel'

/** The agent's state machine of one pool; `unknown` is a state this version has no word for. */
export type PoolState =
  | 'stopped'
  | 'preparing'
  | 'starting'
  | 'ready'
  | 'draining'
  | 'stopping'
  | 'backoff'
  | 'failed'
  | 'crashed'
  | 'unknown'

/** Where a model is in one pool. Only `resident` can serve. */
export type Residency =
  | 'absent'
  | 'downloading'
  | 'on_disk'
  | 'loading'
  | 'resident'
  | 'draining'
  | 'unloading'
  | 'failed'

/** A model as a pool has it: where its weights are, and how many requests use it. */
export interface ModelResidency {
  readonly modelId: ModelId
  readonly residency: Residency
  readonly activeRequests: number
  /** sha256 of its files; empty when not known. */
  readonly digest: string
  /** Such as Q4_K_M; empty when not known. */
  readonly quantization: string
  /** Absent when its files do not tell. */
  readonly dimensions?: ModelDimensions
}

/** What the size of a model's KV cache follows from. */
export interface ModelDimensions {
  /** Layers that attend; each keeps keys and values. */
  readonly layers: number
  readonly kvHeads: number
  readonly keyDim: number
  readonly valueDim: number
  /** Bytes of one cached number; not whole where the cache is quantised. */
  readonly kvDtypeBytes: number
  /** Layers, of `layers`, that look back `windowTokens` only. 0: none do. */
  readonly windowLayers: number
  readonly windowTokens: number
  /** Numbers cached per token and layer where attention is latent (MLA). 0: heads are cached. */
  readonly latentDim: number
}

/** Moving averages measured at the ingress of a pool. */
export interface PerformanceHint {
  readonly tokensPerS: number
  readonly firstTokenMs: number
  readonly samples: number
  /** Prompt tokens a second of a request that is alone. */
  readonly prefillTokensPerS?: number
  readonly cells?: readonly PerformanceCell[]
}

/** A moving average over requests of one kind. */
export interface PerformanceCell {
  readonly modelId: ModelId
  /** Prompts of up to 2^(8 + band) tokens; the last band has no end. */
  readonly promptBand: number
  /** Requests in flight, this one counted, up to 2^band. */
  readonly occupancyBand: number
  readonly tokensPerS: number
  readonly firstTokenMs: number
  readonly samples: number
}

/** What the engine of a pool can do. Routes are HTTP paths such as `/v1/chat/completions`. */
export interface Supports {
  readonly routes: readonly string[]
  readonly quantizations: readonly string[]
  readonly extensions: readonly string[]
}

/**
 * A pool as its agent published it: an engine bound to a device mask on one host. The unit of
 * placement, drain and health. Absent facts are facts the host could not tell.
 */
export interface PoolSnapshot {
  readonly poolId: PoolId
  readonly engine: string
  readonly engineVersion: string
  readonly state: PoolState
  readonly stateReason: string
  readonly isLive: boolean
  readonly isReady: boolean
  readonly isDraining: boolean
  readonly isDegraded: boolean
  /** The engine process of this life; absent when there is none. */
  readonly instanceId?: InstanceId
  readonly deviceMask: readonly string[]
  readonly slotsTotal: number
  /** Leases the ingress holds. For takeover and leak detection only. */
  readonly leaseIds: readonly LeaseId[]
  readonly models: readonly ModelResidency[]
  readonly supports: Supports
  readonly performance?: PerformanceHint
  /** Tokens of context one slot has; 0 when not known. */
  readonly contextLength: number
  readonly vramTotalBytes?: number
  readonly vramFreeBytes?: number
  /** Such as 8.6; absent where the devices have none. */
  readonly computeCapability?: number
  /** Of an engine that reserves its KV cache at start: jobs take from this, not from free VRAM. */
  readonly kvTotalBytes?: number
  readonly kvFreeBytes?: number
  /** Each device's share of the model, in the order of the mask; empty: equal shares. */
  readonly deviceSplit: readonly number[]
  /** Stopped until a request asks for its model, and may be started for one. Absent is false. */
  readonly loadsOnDemand?: boolean
  /** One slot, and the same bytes for the same job. */
  readonly isStrict: boolean
  readonly samplerProfileVersion: string
}
