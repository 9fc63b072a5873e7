/**
 * How an engine will use memory, as its driver reads it from options and flags. Data: what it comes
 * to for a model is `estimateMemory`'s.
 */
export type MemoryPlan = AllocatedPlan | ReservedPlan | UnknownPlan

/** Weights and cache are allocated as the model needs them: llama.cpp and its kin. */
export interface AllocatedPlan {
  readonly kind: 'allocated'
  /** Cached tokens over all slots. */
  readonly kvTokens: number
  /** Sequences at once: recurrent state is per sequence. */
  readonly sequences: number
  /** Sequences share one cache (`--kv-unified`). Absent: each has its part. */
  readonly isUnified?: boolean
  /** Bytes of one cached number of keys and of values: 2 for f16, 34/32 for q8_0. */
  readonly keyBytes: number
  readonly valueBytes: number
  /** Tokens computed at once: the compute buffer grows with it, windowed layers keep them. */
  readonly batchTokens: number
  /** Tokens logits are computed of at once. Absent: one of each sequence, as servers do. */
  readonly outputTokens?: number
  /** Windowed layers keep everything all the same (`--swa-full`). */
  readonly isWindowIgnored: boolean
  /** Absent is true. Without it scores of all heads are held at once. */
  readonly hasFlashAttention?: boolean
  /** The cache stays in main memory (`--no-kv-offload`). Absent is false. */
  readonly isCacheOnHost?: boolean
  /** Blocks whose weights are put on the GPUs; the rest stays in main memory. */
  readonly gpuBlocks: number | 'all'
  /** Of the first so many blocks the experts stay in main memory (`--n-cpu-moe`). Absent is 0. */
  readonly hostExpertBlocks?: number
  /** Share of each device of the mask, in its order; absent: as free memory suggests. */
  readonly split?: readonly number[]
  /** Taken besides, on each GPU (context, libraries). */
  readonly overheadBytes: number
}

/** A share of each device is taken whatever the model needs: vLLM. */
export interface ReservedPlan {
  readonly kind: 'reserved'
  /** Of the device's total memory, 0 to 1. */
  readonly share: number
  /** Weights are cut over so many devices. */
  readonly parallel: number
  /** And the blocks are dealt out over so many groups of them. Absent is 1. */
  readonly pipeline?: number
  /** The KV cache alone, of each device, where the operator fixed it; then no share is taken. */
  readonly kvCacheBytes?: number
  /** Cached tokens that one request of full length needs. */
  readonly maxTokens: number
  /** Tokens computed at once: windowed layers keep them. Absent is 0. */
  readonly batchTokens?: number
  readonly kvNumberBytes: number
  /** Taken besides, on each GPU (CUDA graphs, context). */
  readonly overheadBytes: number
}

/** The engine decides for itself, or is not ours: only the operator's figure counts. */
export interface UnknownPlan {
  readonly kind: 'unknown'
  /** That figure: of all devices of the mask together. */
  readonly bytes?: number
}
