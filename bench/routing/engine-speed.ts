/**
 * What one iteration of an engine costs. An iteration runs every sequence that decodes for one
 * token and up to a budget of prompt tokens; weights are read once, so that is one fixed part,
 * and the rest grows with what is computed and what is read.
 */
export interface StepCost {
  /** Milliseconds of any iteration: reading the weights, launching, sampling. */
  readonly fixedMs: number
  /** Milliseconds a prompt token. */
  readonly promptTokenMs: number
  /** Milliseconds a prompt token for each token of context it attends to. */
  readonly attendedTokenMs: number
  /** Milliseconds a sequence that decodes. */
  readonly sequenceMs: number
  /** Milliseconds a token of KV cache that decoding sequences read. */
  readonly kvTokenMs: number
}

/** An engine as it is started. */
export interface EngineSpec {
  readonly gpu: string
  readonly cost: StepCost
  /** vLLM's `--max-num-batched-tokens`: prompt and decode tokens of one iteration. */
  readonly maxBatchedTokens: number
  /** vLLM's `--max-num-seqs`. */
  readonly maxSeqs: number
  /** Tokens the KV cache holds. */
  readonly kvTokens: number
}

/**
 * Qwen3-14B in bf16 by vLLM 0.11.0 on one H100 SXM, from the inter-token latencies that GPUStack
 * publishes (see README.md): an iteration without prompt tokens takes 43.5 ms with 8 sequences of
 * 32k tokens and 46.0 ms with 130 of 2k; one with 8,192 prompt tokens takes 642 ms at 1k tokens
 * of context and 1,101 ms near 28k.
 */
export const H100: StepCost = {
  fixedMs: 12,
  promptTokenMs: 0.071,
  attendedTokenMs: 1.95e-6,
  sequenceMs: 0.02,
  kvTokenMs: 1.2e-4,
}

/**
 * The same on one A100, same source: 334 ms with 2,048 tokens of a batch at 1k of context, 369 ms
 * at 2k, 448 ms at 16k.
 */
export const A100: StepCost = {
  fixedMs: 18,
  promptTokenMs: 0.15,
  attendedTokenMs: 2.9e-6,
  sequenceMs: 0.02,
  kvTokenMs: 1.7e-4,
}

/**
 * KV cache of both cards: 80 GB at `--gpu-memory-utilization 0.9` less 29.5 GB of weights and some
 * 2 GB of activations leave 43 GB, at 160 KiB a token (40 layers, 8 KV heads of 128, bf16).
 */
export const KV_TOKENS = 262_144

/** An engine set up for chat: a small budget of prompt tokens keeps iterations short. */
export const chatEngine = (gpu: 'h100' | 'a100'): EngineSpec => ({
  gpu,
  cost: gpu === 'h100' ? H100 : A100,
  maxBatchedTokens: 2_048,
  maxSeqs: 128,
  kvTokens: KV_TOKENS,
})

/** Milliseconds to read a prompt on an idle engine without any of it cached. */
export const coldPrefillMs = ({ cost, maxBatchedTokens }: EngineSpec, tokens: number): number =>
  Math.ceil(tokens / maxBatchedTokens) * cost.fixedMs +
  tokens * cost.promptTokenMs +
  (tokens * tokens * cost.attendedTokenMs) / 2
