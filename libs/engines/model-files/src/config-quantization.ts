import { jsonObject } from './config-values.ts'
import { shortText, wholeNumber } from './header-number.ts'
import type { JsonObject, SafetensorsHeader } from './raw-header.ts'

/** What a model's files say of its types. */
export interface ConfigQuantization {
  /** Such as `fp8`, `awq-int4`, `gptq-int4`, `mxfp4`, `nvfp4` or `BF16`; empty when not said. */
  readonly quantization: string
  /** Bytes of a cached number, where the files fix it. */
  readonly kvNumberBytes?: number
}

/**
 * By `quantization_config`, else by `hf_quant_config.json` (some models say it only there), else by
 * the type of the weights: a config that says `bfloat16` may belong to quantised weights.
 */
export const configQuantization = (header: SafetensorsHeader): ConfigQuantization => {
  const { config, quantConfig, tensors } = header
  const inConfig =
    jsonObject(config['quantization_config']) ??
    jsonObject(jsonObject(config['text_config'])?.['quantization_config'])
  const beside = jsonObject(quantConfig?.['quantization'])
  const cache = lowered(beside?.['kv_cache_quant_algo'] ?? inConfig?.['kv_cache_quant_algo'])
  return {
    quantization: methodOf(inConfig) ?? methodOf(beside) ?? typeOf(config, tensors.kinds),
    ...(cache.startsWith('fp8') && { kvNumberBytes: 1 }),
  }
}

const methodOf = (quantization: JsonObject | undefined): string | undefined => {
  if (!quantization) return undefined
  const algorithm = lowered(quantization['quant_algo'])
  if (algorithm !== '') return algorithm.replaceAll('_', '-')
  const method = lowered(quantization['quant_method'])
  if (method === 'compressed-tensors') return compressed(quantization)
  if (method === 'bitsandbytes')
    return quantization['load_in_8bit'] === true ? 'bnb-int8' : 'bnb-int4'
  const bits = wholeNumber(quantization['bits'])
  return method === '' ? undefined : bits === undefined ? method : `${method}-int${bits}`
}

/** `format` says how it is packed: `float-quantized`, `pack-quantized`, `nvfp4-pack-quantized`. */
const compressed = (quantization: JsonObject): string => {
  const format = lowered(quantization['format'])
  if (format === 'float-quantized') return 'fp8'
  if (format.startsWith('nvfp4')) return 'nvfp4'
  const [group] = Object.values(jsonObject(quantization['config_groups']) ?? {})
  const bits = wholeNumber(jsonObject(jsonObject(group)?.['weights'])?.['num_bits'])
  return bits === undefined ? 'compressed-tensors' : `int${bits}`
}

const typeOf = (config: JsonObject, kinds: Readonly<Record<string, number>>): string => {
  const [largest] = Object.entries(kinds).sort(([, a], [, b]) => b - a)
  if (largest) return largest[0]
  const text = jsonObject(config['text_config']) ?? config
  const named = shortText(text['torch_dtype']) ?? shortText(text['dtype']) ?? ''
  return TYPES[named] ?? named
}

const TYPES: Readonly<Record<string, string>> = { bfloat16: 'BF16', float16: 'F16', float32: 'F32' }

const lowered = (value: unknown): string => shortText(value)?.toLowerCase() ?? ''
