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
  /** Of what stands outside the blocks: embedding in, head out. They stay on one device. */
  readonly inputBytes?: number
  readonly outputBytes?: number
  /** Longest context the model was trained for, in tokens; 0 when not known. */
  readonly contextLength: number
  /** Repeating blocks, also those without a KV cache. */
  readonly blocks: number
  readonly embeddingLength: number
  readonly vocabularySize: number
  /** What its KV cache follows from, at two bytes a number; absent when the files do not tell. */
  readonly dimensions?: ModelDimensions
  /** State that does not grow with the context (Mamba, linear attention), per sequence. */
  readonly recurrentBytes?: number
}
