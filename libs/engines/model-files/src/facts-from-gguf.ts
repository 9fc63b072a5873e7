import type { ModelFacts } from '@berth/memory'
import { ggufShape } from './gguf-caches.ts'
import { ggufFileType } from './gguf-file-type.ts'
import { ggufValues } from './gguf-values.ts'
import { shortText } from './header-number.ts'
import { dimensionsOf } from './model-dimensions.ts'
import type { GgufHeader } from './raw-header.ts'

/**
 * What a GGUF header says of a model, as llama.cpp will run it. Never throws: of a header that
 * makes no sense little is said, and of an architecture that is not known no dimensions.
 */
export const factsFromGguf = (header: GgufHeader): ModelFacts => {
  const { metadata, tensors } = header
  const architecture = shortText(metadata['general.architecture']) ?? ''
  const values = ggufValues(header, architecture)
  const shape = ggufShape(architecture, values)
  const dimensions = shape && dimensionsOf(shape.caches)
  const states = shape?.caches.reduce((sum, block) => sum + block.stateBytes, 0)
  return {
    ...{ format: 'gguf', architecture, quantization: quantizationOf(header) },
    ...{ parameters: tensors.parameters, weightBytes: tensors.bytes },
    ...placesOf(header),
    contextLength: values.number('context_length') ?? 0,
    blocks: values.number('block_count') ?? tensors.blockBytes.length,
    embeddingLength: values.number('embedding_length') ?? 0,
    vocabularySize: values.number('vocab_size') ?? values.lengthOf('tokenizer.ggml.tokens') ?? 0,
    ...(shape && { widths: shape.widths, caches: shape.caches }),
    ...(dimensions && { dimensions }),
    ...(states ? { recurrentBytes: states } : {}),
  }
}

/** Source: llama.cpp v0.5.0, `LLM_TENSOR_LAYER_INPUT` in src/llama-arch.cpp */
const INPUT = /^(?:token_embd|token_types|position_embd|per_layer_token_embd)/

const placesOf = ({ tensors }: GgufHeader) => {
  const { blockBytes, expertBytes, outside, bytes } = tensors
  if (blockBytes.length === 0) return {}
  let inputBytes = 0
  for (const [name, size] of Object.entries(outside)) if (INPUT.test(name)) inputBytes += size
  const inBlocks = blockBytes.reduce((sum, each) => sum + each, 0)
  const hasExperts = expertBytes.some((each) => each > 0)
  return {
    ...{ blockBytes, inputBytes, outputBytes: Math.max(0, bytes - inBlocks - inputBytes) },
    ...(hasExperts && { expertBytes }),
    ...(outside['output.weight'] === undefined && { isTied: true }),
  }
}

/** As the file calls itself; else the type that most of its bytes have. */
const quantizationOf = ({ metadata, tensors }: GgufHeader): string => {
  const named = ggufFileType(metadata['general.file_type'])
  if (named !== undefined) return named
  const [largest] = Object.entries(tensors.kinds).sort(([, a], [, b]) => b - a)
  return largest?.[0] ?? ''
}
