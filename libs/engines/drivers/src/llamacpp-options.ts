import type { EngineOptions, EngineSpec } from '@berth/supervision'
import { checkOptions, oneOf, text, trueOrFalse, wholeNumber } from './check-options.ts'

type OptionValue = string | number | boolean
type OptionRule = (value: OptionValue) => string | undefined

/** One key of `engine_options`: what it may be, and the flags of llama-server it becomes. */
interface LlamacppOption {
  readonly rule: OptionRule
  /** Absent: another part of the plan turns it into flags. */
  readonly flags?: (value: OptionValue) => readonly string[]
}

/** KV types llama-server takes, and the bytes one cached number needs. */
export const KV_TYPE_BYTES: Readonly<Record<string, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  q8_0: 34 / 32,
  q5_1: 24 / 32,
  q5_0: 22 / 32,
  q4_1: 20 / 32,
  q4_0: 18 / 32,
  iq4_nl: 18 / 32,
}

/** A quantised cache is made of blocks of 32 numbers, which a head has to fill. */
export const KV_BLOCK = 32
export const isQuantised = (kvType: string): boolean => (KV_TYPE_BYTES[kvType] ?? 2) < 2

const MAX_THREADS = 1_024
const MAX_BATCH = 65_536
const MAX_BLOCKS = 10_000
const MAX_CACHE_MIB = 1_048_576
/** The cache of old prompts in main memory that llama-server keeps; its own default is 8 GiB. */
const CACHE_MIB = 512

const valueOf =
  (flag: string) =>
  (value: OptionValue): readonly string[] => [flag, String(value)]
const ifTrue =
  (...flags: readonly string[]) =>
  (value: OptionValue) =>
    value === true ? flags : []
const ifFalse =
  (...flags: readonly string[]) =>
  (value: OptionValue) =>
    value === false ? flags : []

/** Not the flag of another option, and not dependent on the folder the engine starts in. */
const path: OptionRule = (value) =>
  typeof value === 'string' && value.startsWith('/') && !value.includes('\0')
    ? undefined
    : 'has to be an absolute path'

const paths: OptionRule = (value) =>
  typeof value === 'string' && value.split(',').every((each) => path(each) === undefined)
    ? undefined
    : 'has to be absolute paths with commas between them'

const shares: OptionRule = (value) =>
  typeof value === 'string' && /^\d{1,9}(\.\d{1,6})?(,\d{1,9}(\.\d{1,6})?)*$/.test(value)
    ? undefined
    : 'has to be numbers with commas between them, such as 3,1'

const word: OptionRule = (value) =>
  typeof value === 'string' && /^\w[\w.,:-]*$/.test(value) ? undefined : 'has to be a name'

const positive: OptionRule = (value) =>
  typeof value === 'number' && Number.isFinite(value) && value > 0
    ? undefined
    : 'has to be a number above 0'

const OPTIONS: Readonly<Record<string, LlamacppOption>> = {
  threads: { rule: wholeNumber(1, MAX_THREADS) },
  threads_batch: { rule: wholeNumber(1, MAX_THREADS), flags: valueOf('-tb') },
  batch_size: { rule: wholeNumber(1, MAX_BATCH), flags: valueOf('-b') },
  ubatch_size: { rule: wholeNumber(1, MAX_BATCH), flags: valueOf('-ub') },
  gpu_layers: { rule: wholeNumber(1, MAX_BLOCKS) },
  n_cpu_moe: { rule: wholeNumber(0, MAX_BLOCKS), flags: valueOf('-ncmoe') },
  split_mode: { rule: oneOf('layer', 'row', 'tensor') },
  tensor_split: { rule: shares },
  device: { rule: word },
  cache_type_k: { rule: oneOf(...Object.keys(KV_TYPE_BYTES)), flags: valueOf('-ctk') },
  cache_type_v: { rule: oneOf(...Object.keys(KV_TYPE_BYTES)), flags: valueOf('-ctv') },
  flash_attn: { rule: oneOf('on', 'off', 'auto') },
  cache_ram_mib: { rule: wholeNumber(0, MAX_CACHE_MIB) },
  cache_prompt: { rule: trueOrFalse },
  context_shift: { rule: trueOrFalse, flags: ifTrue('--context-shift') },
  kv_unified: { rule: trueOrFalse, flags: ifTrue('-kvu') },
  swa_full: { rule: trueOrFalse, flags: ifTrue('--swa-full') },
  load_mode: {
    rule: oneOf('auto', 'none', 'mmap', 'mlock', 'mmap+mlock', 'dio'),
    flags: valueOf('-lm'),
  },
  warmup: { rule: trueOrFalse, flags: ifFalse('--no-warmup') },
  embeddings: { rule: trueOrFalse, flags: ifTrue('--embeddings') },
  pooling: { rule: oneOf('none', 'mean', 'cls', 'last'), flags: valueOf('--pooling') },
  reranking: { rule: trueOrFalse, flags: ifTrue('--reranking') },
  mmproj: { rule: path, flags: valueOf('--mmproj') },
  lora: { rule: paths, flags: valueOf('--lora') },
  lora_init_without_apply: { rule: trueOrFalse, flags: ifTrue('--lora-init-without-apply') },
  chat_template: { rule: word, flags: valueOf('--chat-template') },
  chat_template_file: { rule: path, flags: valueOf('--chat-template-file') },
  jinja: { rule: trueOrFalse, flags: ifFalse('--no-jinja') },
  reasoning_format: {
    rule: oneOf('none', 'auto', 'deepseek', 'deepseek-legacy'),
    flags: valueOf('--reasoning-format'),
  },
  rope_scaling: { rule: oneOf('none', 'linear', 'yarn'), flags: valueOf('--rope-scaling') },
  rope_scale: { rule: positive, flags: valueOf('--rope-scale') },
  rope_freq_base: { rule: positive, flags: valueOf('--rope-freq-base') },
  yarn_orig_ctx: { rule: wholeNumber(1, 16_777_216), flags: valueOf('--yarn-orig-ctx') },
  api_key: { rule: text },
}

const RULES = Object.fromEntries(Object.entries(OPTIONS).map(([key, { rule }]) => [key, rule]))

/**
 * Problems of a pool's `engine_options`, each naming its key. An option that is not listed is
 * refused: llama-server has some that open a shell or files to whoever may send requests.
 */
export const checkLlamacppOptions = (spec: EngineSpec): string[] => {
  const { cache_type_v: values = 'f16', flash_attn: flash, embeddings, reranking } = spec.options
  return [
    ...checkOptions(spec, RULES),
    ...(spec.mode === 'managed' && spec.options.api_key !== undefined
      ? ['engine_options.api_key: the key of a managed engine is minted for it']
      : []),
    ...(isQuantised(String(values)) && flash === 'off'
      ? ['engine_options.flash_attn: a quantised cache_type_v needs it on']
      : []),
    ...(embeddings === true && reranking === true
      ? ['engine_options.reranking: a model embeds or ranks, not both']
      : []),
  ]
}

/** What the options ask of the cache in memory. */
export const kvTypesOf = ({
  cache_type_k: keys = 'f16',
  cache_type_v: values = 'f16',
}: EngineOptions): { readonly keys: string; readonly values: string } => ({
  keys: String(keys),
  values: String(values),
})

/** The flags of everything that depends on the options alone, in the order of the list above. */
export const optionFlags = ({ options, isStrict = false }: EngineSpec): readonly string[] => {
  const flash = options.flash_attn ?? (isQuantised(kvTypesOf(options).values) ? 'on' : undefined)
  const keepsPrompts = options.cache_prompt ?? !isStrict
  const cacheMib = options.cache_ram_mib ?? (keepsPrompts === true ? CACHE_MIB : 0)
  return [
    // More threads than idle cores are a thousand times slower (engines.md 7, measured).
    ...['-t', String(options.threads ?? 1)],
    ...(flash === undefined ? [] : ['-fa', String(flash)]),
    ...['--cache-ram', String(cacheMib)],
    // What a kept prompt was computed with decides the last bits of what follows.
    ...(keepsPrompts === true ? [] : ['--no-cache-prompt']),
    ...Object.entries(OPTIONS).flatMap(([key, { flags }]) => {
      const value = options[key]
      return value === undefined || flags === undefined ? [] : flags(value)
    }),
  ]
}
