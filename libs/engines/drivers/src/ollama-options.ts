import type { EngineSpec } from '@berth/supervision'
import { checkUrl } from './attach.ts'
import { checkOptions, oneOf, text, trueOrFalse, wholeNumber } from './check-options.ts'
import { problemOfName } from './ollama-name.ts'

/** Where a daemon listens that nobody told otherwise. */
export const OLLAMA_URL = 'http://127.0.0.1:11434'
/** Models at once where the pool does not say; the daemon's own rule is 3 for each GPU. */
const MAX_LOADED = 3

const GO_DURATION = /^-?(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/
const MAX_MODELS = 64
const MAX_QUEUE = 65_536
const MAX_PARALLEL = 256

const duration = (value: string | number | boolean): string | undefined =>
  Number.isInteger(value) || (typeof value === 'string' && GO_DURATION.test(value))
    ? undefined
    : 'has to be seconds, or a duration such as "5m"; negative is for ever'

const absolutePath = (value: string | number | boolean): string | undefined =>
  typeof value === 'string' && value.startsWith('/') && !value.includes('\0')
    ? undefined
    : 'has to be an absolute path'

/** `engine_options` that become variables of a daemon which Berth starts. */
const MANAGED = {
  models_dir: absolutePath,
  max_loaded_models: wholeNumber(1, MAX_MODELS),
  keep_alive: duration,
  kv_cache_type: oneOf('f16', 'q8_0', 'q4_0'),
  flash_attention: trueOrFalse,
  load_timeout: duration,
  gpu_overhead: wholeNumber(0, Number.MAX_SAFE_INTEGER),
  max_queue: wholeNumber(1, MAX_QUEUE),
  sched_spread: trueOrFalse,
  no_prune: trueOrFalse,
  debug: trueOrFalse,
  llm_library: text,
  registries: text,
}

/** Of a daemon that others run: what it was started with. */
const OBSERVED = {
  max_loaded_models: MANAGED.max_loaded_models,
  registries: MANAGED.registries,
}

/** Problems of a pool for Ollama, each naming its key. */
export const checkOllama = (spec: EngineSpec): string[] => {
  const { mode, modelId, url, slots } = spec
  const problem = modelId === undefined ? undefined : problemOfName(modelId, registriesOf(spec))
  return [
    ...(mode === 'managed' || url === undefined ? [] : checkUrl(spec)),
    ...(problem === undefined ? [] : [`model: ${problem}`]),
    ...(mode === 'managed' && slots > MAX_PARALLEL
      ? [`slots: at most ${MAX_PARALLEL} on Ollama`]
      : []),
    ...checkKvCache(spec),
    ...checkOptions(spec, mode === 'managed' ? MANAGED : OBSERVED),
  ]
}

/** Hosts beside those everybody pulls from, as `a.example,b.example:5000`. */
const registriesOf = ({ options }: EngineSpec): readonly string[] =>
  String(options.registries ?? '')
    .toLowerCase()
    .split(',')
    .map((host) => host.trim())
    .filter((host) => host !== '')

/** The daemon ignores a quantised cache without flash attention, with a line in its log. */
const checkKvCache = ({ options }: EngineSpec): string[] => {
  const { kv_cache_type: type = 'f16', flash_attention: isOn } = options
  return type !== 'f16' && isOn === false
    ? [`engine_options.kv_cache_type: ${type} needs flash_attention`]
    : []
}

/** How many models the daemon holds at once; `undefined` where only it knows. */
export const maxLoadedOf = ({ mode, options }: EngineSpec): number | undefined => {
  const { max_loaded_models: told } = options
  if (typeof told === 'number') return told
  return mode === 'managed' ? MAX_LOADED : undefined
}
