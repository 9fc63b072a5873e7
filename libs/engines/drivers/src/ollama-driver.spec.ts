import { describe, expect, it } from '@jest/globals'
import { ollamaDriver } from './ollama-driver.ts'
import { answered, engineSpec, grant } from './testing/engine-spec.ts'

const spec = engineSpec('ollama', { modelId: 'llama3.2' })
const VERSION = { path: '/api/version', timeoutMs: 5000 }
const access = {
  baseUrl: 'http://127.0.0.1:4100',
  headers: {},
  readyProbes: [VERSION],
  connections: 'keep_alive',
  versionPath: '/api/version',
}
const plain = {
  OLLAMA_HOST: '127.0.0.1:4100',
  OLLAMA_MAX_LOADED_MODELS: '3',
  OLLAMA_NUM_PARALLEL: '2',
  OLLAMA_CONTEXT_LENGTH: '4096',
  OLLAMA_KEEP_ALIVE: '-1',
  OLLAMA_NO_CLOUD: '1',
  OLLAMA_NOPRUNE: '1',
}

describe('the ollama driver plans', () => {
  it('a daemon on its own address, told everything by environment', () => {
    expect(ollamaDriver.plan(spec, grant)).toEqual({
      kind: 'process',
      argv: ['ollama', 'serve'],
      env: plain,
      access,
      stopGraceMs: 10_000,
    })
  })

  it('its models below the folder for models of engines', () => {
    const plan = ollamaDriver.plan(spec, { ...grant, modelCacheDir: '/var/berth/models' })
    expect(plan).toMatchObject({ env: { OLLAMA_MODELS: '/var/berth/models/ollama' } })
  })

  it('every option as the variable of the daemon, and the program of the pool', () => {
    const options = {
      ...{ models_dir: '/srv/ollama', max_loaded_models: 5, keep_alive: '30m', max_queue: 64 },
      ...{ kv_cache_type: 'q8_0', load_timeout: 90, gpu_overhead: 1_048_576, no_prune: false },
      ...{ sched_spread: true, debug: true, llm_library: 'cuda_v12' },
    }
    const plan = ollamaDriver.plan(
      { ...spec, options, binaryPath: '/opt/ollama/bin/ollama', slots: 8, contextLength: 8192 },
      { ...grant, modelCacheDir: '/var/berth/models' },
    )
    expect(plan).toMatchObject({ argv: ['/opt/ollama/bin/ollama', 'serve'] })
    expect(plan.kind === 'process' && plan.env).toEqual({
      ...plain,
      OLLAMA_MODELS: '/srv/ollama',
      OLLAMA_MAX_LOADED_MODELS: '5',
      OLLAMA_NUM_PARALLEL: '8',
      OLLAMA_CONTEXT_LENGTH: '8192',
      OLLAMA_KEEP_ALIVE: '30m',
      OLLAMA_KV_CACHE_TYPE: 'q8_0',
      // The daemon ignores a quantised cache without it.
      OLLAMA_FLASH_ATTENTION: '1',
      OLLAMA_LOAD_TIMEOUT: '90s',
      OLLAMA_GPU_OVERHEAD: '1048576',
      OLLAMA_MAX_QUEUE: '64',
      OLLAMA_SCHED_SPREAD: '1',
      OLLAMA_NOPRUNE: '0',
      OLLAMA_DEBUG: '1',
      OLLAMA_LLM_LIBRARY: 'cuda_v12',
    })
  })

  it.each(['monitored', 'external'] as const)(
    'nothing to start for a %s daemon, at its usual address or the one of the pool',
    (mode) => {
      const usual = ollamaDriver.plan({ ...spec, mode }, grant)
      expect(usual).toEqual({
        kind: 'attach',
        access: { ...access, baseUrl: 'http://127.0.0.1:11434' },
      })
      const told = ollamaDriver.plan({ ...spec, mode, url: 'http://10.0.0.7:11434/v1' }, grant)
      expect(told.access.baseUrl).toBe('http://10.0.0.7:11434')
    },
  )
})

describe('the ollama driver', () => {
  it('[000-T027][000-FR-030] tells that models come and go in it, and that it shows its resources', () => {
    expect(ollamaDriver.abilities).toMatchObject({
      hasModelLifecycle: true,
      hasResourceMonitoring: true,
      isMultiModel: true,
    })
  })

  it('says of every option what is wrong with it', () => {
    const options = {
      ...{ keep_alive: 'soon', kv_cache_type: 'q8_0', flash_attention: false, models_dir: 'here' },
      ...{ max_loaded_models: 0, host: 'x' },
    }
    const problems = ollamaDriver.check({ ...spec, options, modelId: '../../etc/passwd:x' })
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'model',
      'engine_options.kv_cache_type',
      'engine_options.keep_alive',
      'engine_options.models_dir',
      'engine_options.max_loaded_models',
      'engine_options.host',
    ])
    expect(ollamaDriver.check(spec)).toEqual([])
  })

  it('takes nothing that no variable of a process can hold', () => {
    const options = { models_dir: '/models\0', llm_library: 'cuda\0', registries: 'a.example\0' }
    expect(ollamaDriver.check({ ...spec, options })).toHaveLength(3)
  })

  it('takes no options of a daemon that others have started, and needs no url', () => {
    const monitored = { ...spec, mode: 'monitored', options: { keep_alive: '5m' } } as const
    expect(ollamaDriver.check(monitored)).toEqual([
      'engine_options.keep_alive: is not an option (known: max_loaded_models, registries)',
    ])
    expect(ollamaDriver.check({ ...spec, mode: 'external', url: 'ftp://x' })).toHaveLength(1)
    expect(ollamaDriver.check({ ...spec, mode: 'external' })).toEqual([])
  })

  it('pulls from no host that a name begins with unless the pool knows it', () => {
    const modelId = 'registry.example:5000/me/m'
    expect(ollamaDriver.check({ ...spec, modelId })).toEqual([
      'model: registry.example:5000 is no registry that models may come from: ' +
        'name it in engine_options.registries',
    ])
    const options = { registries: 'other.example, Registry.example:5000' }
    expect(ollamaDriver.check({ ...spec, modelId, options })).toEqual([])
    expect(ollamaDriver.check({ ...spec, modelId: 'hf.co/owner/name:Q4_K_M' })).toEqual([])
  })

  it('is ready to load once the daemon tells its version, whatever is in memory', () => {
    expect(ollamaDriver.readProbe(VERSION, answered('{"version":"0.13.5"}'), spec)).toEqual({
      verdict: 'healthy',
    })
    const other = ollamaDriver.readProbe(VERSION, answered('<html>'), spec)
    expect(other).toMatchObject({ verdict: 'unhealthy' })
  })

  it('plans the memory of one model: a context for each slot, quantised as told', () => {
    const gpus = [
      { deviceId: '0', uuid: 'GPU-0', kind: 'nvidia', computeCapability: '8.9' },
    ] as const
    const options = { kv_cache_type: 'q8_0', gpu_overhead: 1024 }
    expect(ollamaDriver.memoryPlan!({ ...spec, options }, { devices: ['0'], gpus })).toEqual({
      kind: 'allocated',
      kvTokens: 8192,
      sequences: 2,
      keyBytes: 34 / 32,
      valueBytes: 34 / 32,
      batchTokens: 512,
      isWindowIgnored: false,
      gpuBlocks: 'all',
      overheadBytes: 512 * 1024 ** 2 + 1024,
    })
    expect(ollamaDriver.memoryPlan!(spec, { devices: ['cpu'] })).toMatchObject({
      ...{ gpuBlocks: 0, overheadBytes: 0, keyBytes: 2 },
    })
    const monitored = { ...spec, mode: 'monitored' } as const
    expect(ollamaDriver.memoryPlan!(monitored, { devices: ['0'], gpus })).toEqual({
      kind: 'unknown',
    })
  })
})
