import { cacheCells } from './cache-cells.ts'
import type { AllocatedPlan } from './memory-plan.ts'
import type { ModelFacts, ModelWidths } from './model-facts.ts'
import type { BlockPlaces } from './place-blocks.ts'

/** Where a buffer stands, and what stands where. */
export interface ComputePlace {
  readonly places: BlockPlaces
  readonly place: number | 'host'
}

/**
 * The buffer llama.cpp computes a batch in, on one device: it is as large as its widest moment,
 * since what is not needed any more is written over.
 */
export const computeBytes = (
  facts: ModelFacts & { readonly widths: ModelWidths },
  plan: AllocatedPlan,
  { places, place }: ComputePlace,
): number => {
  const { cells, batchTokens } = cacheCells(plan)
  const { widths, embeddingLength } = facts
  const hasBlocks = places.blocks.includes(place)
  const hasOutput = places.output === place
  const maskBytes = cells * batchTokens * 4
  const hidden = embeddingLength * batchTokens * 4
  if (!hasBlocks && !hasOutput) return place === 'host' ? hidden + maskBytes : 0
  const attention = hidden * 2 + widths.queryNumbers * batchTokens * 4 * 3
  const dense = hidden * 2 + widths.feedForward * batchTokens * 4 * 3
  const head = hasOutput ? facts.vocabularySize * batchTokens * 4 : 0
  return Math.max(attention, dense, head + hidden) + maskBytes
}

/**
 * Logits of each sequence, in main memory.
 *
 * Source: llama.cpp v0.5.0, `llama_context::output_reserve`
 */
export const outputBytes = (facts: ModelFacts, { sequences }: AllocatedPlan): number =>
  facts.vocabularySize * Math.max(1, sequences) * 4
