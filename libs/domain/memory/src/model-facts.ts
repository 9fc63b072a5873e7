import type { ModelDimensions } from '@berth/fleet'

/** What the files of a model say of it: the ground of every estimate. Bytes are of the files. */
export interface ModelFacts {
  readonly format: 'gguf' | 'safetensors'
  /** As the files name it, such as `llama` or `Qwen3MoeForCausalLM`. */
  readonly architecture: string
  /** Such as Q4_K_M, BF16 or fp8; empty when the files do not say. */
  readonly quantization: string
  /** Numbers in all tensors; absent where the files do not tell. */
  readonly parameters?: number
  /** All tensors together. */
  readonly weightBytes: number
  /** Of one repeating block, in their order, where the header lists tensors; else absent. */
  readonly blockBytes?: readonly number[]
  /** Of them the experts' alone; absent where the model has none. */
  readonly expertBytes?: readonly number[]
  /** Of what stands outside the blocks: embedding in, head out. They stay on one device. */
  readonly inputBytes?: number
  readonly outputBytes?: number
  /** Its head is its embedding: a device that has the head has a copy. Absent is false. */
  readonly isTied?: boolean
  /** Longest context the model was trained for, in tokens; 0 when not known. */
  readonly contextLength: number
  /** Repeating blocks, also those without a KV cache. */
  readonly blocks: number
  readonly embeddingLength: number
  readonly vocabularySize: number
  /** What a pass over a batch needs room for; absent when the files do not tell. */
  readonly widths?: ModelWidths
  /** What each block keeps, in their order; absent when the files do not tell. */
  readonly caches?: readonly BlockCache[]
  /**
   * What its KV cache follows from, at two bytes a number; absent when the files do not tell. Where
   * blocks differ it is of a model whose blocks are alike and that keeps as many bytes.
   */
  readonly dimensions?: ModelDimensions
  /** Bytes of a cached number, where the files fix it (an FP8 cache). */
  readonly kvNumberBytes?: number
  /** State that does not grow with the context (Mamba, linear attention), per sequence. */
  readonly recurrentBytes?: number
}

/** What one block keeps of the tokens of a sequence. A block may do nothing of it, or both. */
export interface BlockCache {
  /** Numbers kept per token, over all heads; 0 where the block does not attend. */
  readonly keyNumbers: number
  /** 0 also where attention is latent: keys and values are one there. */
  readonly valueNumbers: number
  /** What tensor parallelism can divide the numbers by; 0 where attention is latent: not at all. */
  readonly kvHeads: number
  /** Tokens it looks back; 0: all of them. */
  readonly windowTokens: number
  /** State that does not grow, per sequence. */
  readonly stateBytes: number
}

/** Sizes of what is computed for one token in one block; the largest where blocks differ. */
export interface ModelWidths {
  /** Attention heads, and numbers of all of them together. */
  readonly heads: number
  readonly queryNumbers: number
  /** Of the dense feed forward; 0 where all blocks have experts. */
  readonly feedForward: number
  /** Experts a token goes through, and the feed forward of one; 0 where there are none. */
  readonly expertsUsed: number
  readonly expertFeedForward: number
  /** Of blocks with a state: numbers that go into its convolution, and that come out of it. */
  readonly stateWidth?: number
  readonly stateInner?: number
}
