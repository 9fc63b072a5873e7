import { cacheCells, cellsOfBlock } from './cache-cells.ts'
import type { AllocatedPlan } from './memory-plan.ts'
import type { BlockCache, ModelFacts, ModelWidths } from './model-facts.ts'
import type { BlockPlaces } from './place-blocks.ts'

/** Facts that a pass over a batch can be sized by. */
export type ComputeFacts = ModelFacts & {
  readonly caches: readonly BlockCache[]
  readonly widths: ModelWidths
}

/** Where a buffer stands, and what stands where. */
export interface ComputePlace {
  readonly places: BlockPlaces
  readonly place: number | 'host'
}

/**
 * The buffer llama.cpp computes a batch in, on one device. What is not needed any more is written
 * over, so it is as large as its widest moment: in a block with flash attention, mostly, what a
 * feed forward has at once; without, the scores of all heads; else the logits. Besides there are
 * masks, one for each kind of cache.
 *
 * Source: fitted to what llama-server v0.5.0 on a CPU logs (`compute buffer size`) in 78 runs of
 * sparse models: llama, mixtures of experts, gemma3, deepseek2, qwen3next, gpt-oss; contexts of 300
 * to 65,536 tokens, 1 to 4 slots, batches of 128 to 1024. Off by 0.1 % at the median and 6 % at
 * most; the sum with weights and cache, which are exact, by 2 % at most.
 */
export const computeBytes = (
  facts: ComputeFacts,
  plan: AllocatedPlan,
  { places, place }: ComputePlace,
): number => {
  const { batchTokens } = cacheCells(plan)
  const rowBytes = batchTokens * NUMBER_BYTES
  const hasBlocks = places.blocks.includes(place)
  const hasHead = places.output === place
  if (!hasBlocks && !hasHead) {
    // The host looks up the embedding, and writes the masks, for GPUs that have the rest.
    return place === 'host' ? facts.embeddingLength * rowBytes + maskBytes(facts, plan) : 0
  }
  const outputs = Math.min(batchTokens, plan.outputTokens ?? Math.max(1, plan.sequences))
  const head = hasHead ? (facts.vocabularySize + facts.embeddingLength) * outputs * NUMBER_BYTES : 0
  const block = hasBlocks ? blockBytes(facts, plan, rowBytes) : 0
  return Math.max(block, head) + (hasBlocks ? maskBytes(facts, plan) : 0)
}

const NUMBER_BYTES = 4

const blockBytes = (facts: ComputeFacts, plan: AllocatedPlan, rowBytes: number): number => {
  const { widths, embeddingLength } = facts
  const widest = Math.max(feedForward(widths, embeddingLength), attention(facts), state(facts))
  if (plan.hasFlashAttention !== false) return widest * rowBytes
  const { cells } = cacheCells(plan)
  const attends = facts.caches.some(({ keyNumbers }) => keyNumbers > 0)
  const scores = attends ? cells * widths.heads : 0
  return Math.max(widest, scores + attention(facts)) * rowBytes
}

/** Gate, up and their product, beside the stream; what fits into gaps of the stream is less. */
const feedForward = (widths: ModelWidths, embedding: number): number => {
  const experts = widths.expertsUsed * (widths.expertFeedForward || widths.feedForward)
  const dense = Math.max(experts, widths.expertsUsed > 0 ? 0 : widths.feedForward)
  return 3 * dense + (dense > 2 * embedding ? 4 : 2) * embedding
}

/** The stream and its norm, queries before and after their rotation, keys and values. */
const attention = ({ caches, widths, embeddingLength }: ComputeFacts): number => {
  const keys = Math.max(0, ...caches.map(({ keyNumbers }) => keyNumbers))
  if (keys === 0) return 0
  const isLatent = caches.some(({ keyNumbers, kvHeads }) => keyNumbers > 0 && kvHeads === 0)
  // Of 576 numbers a head, 512 are computed before and 512 come out of it.
  if (isLatent) return Math.ceil(widths.queryNumbers * (1600 / 576))
  return 2 * embeddingLength + 2 * widths.queryNumbers + Math.max(widths.queryNumbers, 2 * keys)
}

/** What goes through a convolution three times, and what comes out of it. */
const state = ({ widths, embeddingLength }: ComputeFacts): number => {
  const { stateWidth = 0, stateInner = 0 } = widths
  return stateWidth > 0 ? 3 * stateWidth + 3 * stateInner + 2 * embeddingLength : 0
}

/** Which cells each token may look at: two bytes with flash attention, four without. */
const maskBytes = (facts: ComputeFacts, plan: AllocatedPlan): number => {
  const all = cacheCells(plan)
  const attending = facts.caches.filter(({ keyNumbers }) => keyNumbers > 0)
  const isFull = attending.some(({ windowTokens }) => windowTokens === 0)
  const windowed = attending.find(({ windowTokens }) => windowTokens > 0)
  const cells = (isFull ? all.cells : 0) + (windowed ? cellsOfBlock(windowed, all, plan) : 0)
  return cells * all.batchTokens * (plan.hasFlashAttention === false ? 4 : 2)
}

/**
 * Logits of each sequence, in main memory.
 *
 * Source: llama.cpp v0.5.0, `llama_context::output_reserve`
 */
export const outputBytes = (facts: ModelFacts, { sequences }: AllocatedPlan): number =>
  facts.vocabularySize * Math.max(1, sequences) * NUMBER_BYTES
