/**
 * How an engine will use memory, as its driver reads it from options and flags. Data: what it comes
 * to for a model is `estimateMemory`'s.
 */
export type MemoryPlan =
  /** Weights and cache are allocated as the model needs them: llama.cpp and its kin. */
  | {
      readonly kind: 'allocated'
      /** Cached tokens over all slots. */
      readonly kvTokens: number
      /** Sequences at once: recurrent state is per sequence. */
      readonly sequences: number
      /** Bytes of one cached number of keys and of values: 2 for f16, 34/32 for q8_0. */
      readonly keyBytes: number
      readonly valueBytes: number
      /** Tokens computed at once: the compute buffer grows with it, windowed layers keep them. */
      readonly batchTokens: number
      /** Windowed layers keep everything all the same (`--swa-full`). */
      readonly isWindowIgnored: boolean
      /** Blocks whose weights are put on the GPUs; the rest stays in main memory. */
      readonly gpuBlocks: number | 'all'
      /** Share of each device of the mask, in its order; absent: as free memory suggests. */
      readonly split?: readonly number[]
      /** Taken besides, on each GPU (context, libraries). */
      readonly overheadBytes: number
    }
  /** A share of each device is taken whatever the model needs: vLLM. */
  | {
      readonly kind: 'reserved'
      /** Of the device's total memory, 0 to 1. */
      readonly share: number
      /** Weights are cut over so many devices. */
      readonly parallel: number
      /** The KV cache alone, where the operator fixed it; then the share is not taken. */
      readonly kvCacheBytes?: number
      /** Cached tokens that one request of full length needs. */
      readonly maxTokens: number
      readonly kvNumberBytes: number
      /** Taken besides, on each GPU (CUDA graphs, context). */
      readonly overheadBytes: number
    }
  /** The engine decides for itself, or is not ours: only the operator's figure counts. */
  | { readonly kind: 'unknown' }
