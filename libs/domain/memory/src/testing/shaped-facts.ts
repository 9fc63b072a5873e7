import type { BlockCache, ModelFacts } from '../model-facts.ts'

/** A block that attends with eight heads of 128. */
export const ATTENDING: BlockCache = {
  ...{ keyNumbers: 1024, valueNumbers: 1024, kvHeads: 8 },
  ...{ windowTokens: 0, stateBytes: 0 },
}

/** Llama 3 8B in 16 bits: 32 blocks of 416 MiB, embedding and head of 1,002 MiB each. */
export const LLAMA_3_8B: ModelFacts = {
  ...{ format: 'gguf', architecture: 'llama', quantization: 'F16' },
  // 128,256 x 4,096 x 2, twice; a block is 4,096 x (2 x 4,096 + 2 x 1,024 + 3 x 14,336) x 2 and
  // norms of 2 x 4,096 x 4; one norm behind them.
  weightBytes: 2 * 1_050_673_152 + 32 * (436_207_616 + 32_768) + 16_384,
  blockBytes: Array.from({ length: 32 }, () => 436_207_616 + 32_768),
  ...{ inputBytes: 1_050_673_152, outputBytes: 1_050_673_152 + 16_384 },
  ...{ contextLength: 8_192, blocks: 32, embeddingLength: 4_096, vocabularySize: 128_256 },
  widths: {
    ...{ heads: 32, queryNumbers: 4_096, feedForward: 14_336 },
    ...{ expertsUsed: 0, expertFeedForward: 0 },
  },
  caches: Array.from({ length: 32 }, () => ATTENDING),
}
