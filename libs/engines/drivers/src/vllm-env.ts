import type { EngineSpec, LaunchGrant } from '@berth/supervision'

/**
 * What vLLM is told by environment: its key, that it reports nothing home, where it keeps what it
 * compiled, and whether it may ask the Hub. The agent adds HF_TOKEN, proxies and the devices, and
 * keeps every other VLLM_* out: `VLLM_PORT` and its like change an engine's meaning.
 */
export const vllmEnv = (
  { options }: EngineSpec,
  { apiKey, homeDir, isOffline, modelPath, modelCacheDir }: LaunchGrant,
): Record<string, string> => ({
  VLLM_API_KEY: apiKey,
  VLLM_NO_USAGE_STATS: '1',
  HF_HUB_DISABLE_TELEMETRY: '1',
  // Lines reach the log when they are printed, progress first.
  PYTHONUNBUFFERED: '1',
  ...(homeDir === undefined ? {} : { VLLM_CACHE_ROOT: `${homeDir}/vllm` }),
  ...(modelCacheDir === undefined || modelPath !== undefined
    ? {}
    : { HF_HUB_CACHE: modelCacheDir }),
  // A snapshot of our store is whole; nothing else is fetched behind its back.
  ...(isOffline === true || modelPath !== undefined
    ? { HF_HUB_OFFLINE: '1', TRANSFORMERS_OFFLINE: '1' }
    : {}),
  ...(options.enable_lora === true ? { VLLM_ALLOW_RUNTIME_LORA_UPDATING: 'True' } : {}),
  // Opens routes for developers: only where sleep was asked for, and never past the ingress.
  ...(options.enable_sleep_mode === true ? { VLLM_SERVER_DEV_MODE: '1' } : {}),
  ...(options.cpu_kv_cache_gib === undefined
    ? {}
    : { VLLM_CPU_KVCACHE_SPACE: String(options.cpu_kv_cache_gib) }),
})
