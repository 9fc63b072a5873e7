import type { EngineSpec, LaunchGrant } from '@berth/supervision'
import { maxLoadedOf } from './ollama-options.ts'

/**
 * All that a daemon of ours is told (variables of Ollama 0.13, engines.md 3). It never loads what
 * nobody asked Berth for, so that what is loaded stays until Berth unloads it.
 */
export const ollamaEnv = (
  spec: EngineSpec,
  grant: Pick<LaunchGrant, 'host' | 'port' | 'modelCacheDir'>,
): Readonly<Record<string, string>> => {
  const { options, slots, contextLength } = spec
  const {
    models_dir: modelsDir = grant.modelCacheDir && `${grant.modelCacheDir}/ollama`,
    keep_alive: keepAlive = -1,
    kv_cache_type: kvCacheType,
    flash_attention: flashAttention = kvCacheType === undefined ? undefined : true,
    load_timeout: loadTimeout,
    gpu_overhead: gpuOverhead,
    max_queue: maxQueue,
    sched_spread: schedSpread,
    no_prune: noPrune = true,
    debug,
    llm_library: llmLibrary,
  } = options
  const told = {
    OLLAMA_HOST: `${grant.host}:${grant.port}`,
    OLLAMA_MODELS: modelsDir,
    OLLAMA_MAX_LOADED_MODELS: maxLoadedOf(spec),
    OLLAMA_NUM_PARALLEL: slots,
    OLLAMA_CONTEXT_LENGTH: contextLength,
    OLLAMA_KEEP_ALIVE: durationOf(keepAlive),
    OLLAMA_KV_CACHE_TYPE: kvCacheType,
    OLLAMA_FLASH_ATTENTION: flagOf(flashAttention),
    OLLAMA_LOAD_TIMEOUT: durationOf(loadTimeout),
    OLLAMA_GPU_OVERHEAD: gpuOverhead,
    OLLAMA_MAX_QUEUE: maxQueue,
    OLLAMA_SCHED_SPREAD: flagOf(schedSpread),
    // Models of a name with `:cloud` would leave this machine.
    OLLAMA_NO_CLOUD: 1,
    // Files of models are removed by command, never by a start.
    OLLAMA_NOPRUNE: flagOf(noPrune),
    OLLAMA_DEBUG: flagOf(debug),
    OLLAMA_LLM_LIBRARY: llmLibrary,
  }
  return Object.fromEntries(
    Object.entries(told).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    ),
  )
}

type Value = string | number | boolean | undefined

const flagOf = (value: Value) => (value === undefined ? undefined : value === true ? 1 : 0)

/** A number alone is seconds, to the daemon and to us; -1 is for ever. */
const durationOf = (value: Value): string | undefined =>
  typeof value === 'number' ? `${value}${value < 0 ? '' : 's'}` : (value as string | undefined)
