import type { EngineSpec } from '@berth/supervision'
import { checkOptions, oneOf, trueOrFalse, wholeNumber } from './check-options.ts'

const MAX_PARALLEL = 64
const MAX_TOKENS = 16_777_216
const MAX_GIB = 4_096
const LORA_RANKS = [1, 8, 16, 32, 64, 128, 256, 320, 512]

type Value = string | number | boolean

/** A word that no argument parser takes for a flag. */
const word = (value: Value): string | undefined =>
  typeof value === 'string' && /^\w[\w.:+-]{0,127}$/.test(value)
    ? undefined
    : 'has to be a word of letters, digits, "_", ".", ":", "+" and "-"'

const share = (value: Value): string | undefined =>
  typeof value === 'number' && value > 0 && value <= 1
    ? undefined
    : 'has to be above 0 and at most 1'

const number =
  (min: number, max: number) =>
  (value: Value): string | undefined =>
    typeof value === 'number' && value >= min && value <= max
      ? undefined
      : `has to be a number from ${min} to ${max}`

const rank = (value: Value): string | undefined =>
  LORA_RANKS.includes(value as number) ? undefined : `has to be one of ${LORA_RANKS.join(', ')}`

/** Every `engine_options` key of a vllm pool and what it may be. */
const RULES = {
  tensor_parallel_size: wholeNumber(1, MAX_PARALLEL),
  pipeline_parallel_size: wholeNumber(1, MAX_PARALLEL),
  gpu_memory_utilization: share,
  /** The KV cache alone, instead of what utilization leaves. */
  kv_cache_memory_bytes: wholeNumber(1, Number.MAX_SAFE_INTEGER),
  max_model_len: wholeNumber(64, MAX_TOKENS),
  max_num_batched_tokens: wholeNumber(1, MAX_TOKENS),
  dtype: oneOf('auto', 'half', 'float16', 'bfloat16', 'float', 'float32'),
  /** Only ever what the operator says (003-FR-031). */
  quantization: word,
  kv_cache_dtype: word,
  load_format: word,
  tool_call_parser: word,
  reasoning_parser: word,
  seed: wholeNumber(0, 2 ** 32 - 1),
  enforce_eager: trueOrFalse,
  enable_prefix_caching: trueOrFalse,
  /** Runs code that the model's repository brings. */
  trust_remote_code: trueOrFalse,
  enable_lora: trueOrFalse,
  max_loras: wholeNumber(1, 1_024),
  max_lora_rank: rank,
  enable_sleep_mode: trueOrFalse,
  cpu_offload_gib: number(0, MAX_GIB),
  /** Of a vLLM built for the CPU. */
  cpu_kv_cache_gib: number(0.1, MAX_GIB),
}

/** Problems of the options, all at once, each naming its key. */
export const checkVllmOptions = (spec: EngineSpec): string[] => {
  const { options } = spec
  const isLora = options.enable_lora === true
  return [
    ...checkOptions(spec, RULES),
    ...['max_loras', 'max_lora_rank'].flatMap((key) =>
      options[key] === undefined || isLora
        ? []
        : [`engine_options.${key}: needs enable_lora: true`],
    ),
  ]
}

/** How many GPUs the engine takes: tensor times pipeline parallel. */
export const worldOf = ({ options }: EngineSpec): number =>
  Number(options.tensor_parallel_size ?? 1) * Number(options.pipeline_parallel_size ?? 1)

/** Problems of the mask: the engine takes whole shares of it. */
export const checkVllmDevices = (spec: EngineSpec, kinds: readonly string[]): string[] => {
  if (spec.mode !== 'managed') return []
  const world = worldOf(spec)
  const isOnCpu = kinds.includes('cpu')
  const needs = `engine_options: tensor_parallel_size × pipeline_parallel_size is ${world}`
  if (isOnCpu) return world > 1 ? [`${needs}, and the cpu is one device`] : []
  if (kinds.length === 0 || (world <= kinds.length && kinds.length % world === 0)) return []
  return [`${needs}, which does not divide the ${kinds.length} devices of the pool`]
}
