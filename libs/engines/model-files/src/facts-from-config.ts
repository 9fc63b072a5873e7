import type { ModelFacts } from '@berth/memory'
import { configShape } from './config-caches.ts'
import { configQuantization } from './config-quantization.ts'
import { type ConfigValues, configValues } from './config-values.ts'
import { shortText } from './header-number.ts'
import { dimensionsOf } from './model-dimensions.ts'
import type { SafetensorsHeader } from './raw-header.ts'

/**
 * What a folder of safetensors says of a model, as vLLM will run it. Never throws: of a config that
 * makes no sense little is said, and of a type that is not known no dimensions.
 */
export const factsFromConfig = (header: SafetensorsHeader): ModelFacts => {
  const { config, tensors } = header
  const values = configValues(config)
  const shape = configShape(values)
  const dimensions = shape && dimensionsOf(shape.caches)
  const states = shape?.caches.reduce((sum, block) => sum + block.stateBytes, 0)
  const blocks = values.number('num_hidden_layers', 'n_layer', 'num_layers') ?? 0
  return {
    ...{ format: 'safetensors', architecture: architectureOf(header, values) },
    ...configQuantization(header),
    // Packed types hold several numbers in one of the file's.
    ...(hasPlainTypes(header) && { parameters: tensors.parameters }),
    weightBytes: tensors.bytes,
    ...placesOf(header, blocks),
    contextLength: values.number('max_position_embeddings', 'n_positions', 'seq_length') ?? 0,
    blocks,
    embeddingLength: values.number('hidden_size', 'n_embd', 'd_model') ?? 0,
    vocabularySize: values.number('vocab_size') ?? 0,
    ...(shape && { widths: shape.widths, caches: shape.caches }),
    ...(dimensions && { dimensions }),
    ...(states ? { recurrentBytes: states } : {}),
  }
}

const architectureOf = ({ config }: SafetensorsHeader, values: ConfigValues): string => {
  const { architectures } = config
  const [first] = Array.isArray(architectures) ? (architectures as readonly unknown[]) : []
  return shortText(first) ?? values.modelType
}

const hasPlainTypes = ({ tensors }: SafetensorsHeader): boolean =>
  tensors.count > 0 &&
  Object.keys(tensors.kinds).every((kind) => /^(?:BF16|F16|F32|F64|F8_)/.test(kind))

const INPUT = /(?:^|\.)(?:embed_tokens|wte|word_embeddings|embedding|embeddings)(?:\.|$)/

/** Blocks behind the model's own are of a draft head, and go with the head. */
const placesOf = ({ tensors }: SafetensorsHeader, blocks: number) => {
  const { blockBytes, expertBytes, outside, bytes } = tensors
  if (blockBytes.length === 0) return {}
  const own = blockBytes.slice(0, blocks)
  let inputBytes = 0
  for (const [name, size] of Object.entries(outside)) if (INPUT.test(name)) inputBytes += size
  const inBlocks = own.reduce((sum, each) => sum + each, 0)
  const hasExperts = expertBytes.some((each) => each > 0)
  return {
    ...{ blockBytes: own, inputBytes, outputBytes: Math.max(0, bytes - inBlocks - inputBytes) },
    ...(hasExperts && { expertBytes: expertBytes.slice(0, blocks) }),
  }
}
