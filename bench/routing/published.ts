import type { StepCost } from './engine-speed.ts'
import { A100, H100 } from './engine-speed.ts'

/** A published run of `vllm bench serve`: all prompts sent at once to one engine. */
export interface PublishedRun {
  readonly gpu: string
  readonly cost: StepCost
  /** vLLM's default for this card as an API server. */
  readonly maxBatchedTokens: number
  readonly maxSeqs: number
  readonly prompts: number
  readonly promptTokens: number
  readonly outputTokens: number
  readonly requestsPerS: number
  readonly totalTokensPerS: number
  readonly ttftMeanMs: number
  readonly tpotMeanMs: number
}

const ON_H100 = { gpu: 'H100', cost: H100, maxBatchedTokens: 8_192, maxSeqs: 1_024 }
const ON_A100 = { gpu: 'A100', cost: A100, maxBatchedTokens: 2_048, maxSeqs: 256 }
const LONG = { prompts: 100, promptTokens: 32_000, outputTokens: 99 }
const MIDDLE = { prompts: 500, promptTokens: 3_996, outputTokens: 200 }
const SHORT = { prompts: 500, promptTokens: 1_996, outputTokens: 100 }

/**
 * Qwen3-14B by `vllm serve` 0.11.0 without options, random prompts. Source: GPUStack performance
 * lab, gpustack/gpustack docs/performance-lab/qwen3-14b/h100.md at 7ae332aa and a100.md at
 * 10e9444a ("Baseline benchmark results").
 */
export const PUBLISHED: readonly PublishedRun[] = [
  {
    ...ON_H100,
    ...LONG,
    requestsPerS: 0.26,
    totalTokensPerS: 8_298.56,
    ttftMeanMs: 191_024,
    tpotMeanMs: 277.44,
  },
  {
    ...ON_H100,
    ...MIDDLE,
    requestsPerS: 2.2,
    totalTokensPerS: 9_218.03,
    ttftMeanMs: 112_717,
    tpotMeanMs: 132.45,
  },
  {
    ...ON_H100,
    ...SHORT,
    requestsPerS: 5.06,
    totalTokensPerS: 10_597.19,
    ttftMeanMs: 50_716,
    tpotMeanMs: 206.51,
  },
  {
    ...ON_A100,
    ...LONG,
    requestsPerS: 0.14,
    totalTokensPerS: 4_430.14,
    ttftMeanMs: 359_648,
    tpotMeanMs: 445.58,
  },
  {
    ...ON_A100,
    ...MIDDLE,
    requestsPerS: 1.23,
    totalTokensPerS: 5_153.42,
    ttftMeanMs: 197_625,
    tpotMeanMs: 254.61,
  },
  {
    ...ON_A100,
    ...SHORT,
    requestsPerS: 2.85,
    totalTokensPerS: 5_967.13,
    ttftMeanMs: 86_908,
    tpotMeanMs: 301.73,
  },
]
