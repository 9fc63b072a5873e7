import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import type { EngineOptions, EngineSpec, LaunchGrant } from '@berth/supervision'
import { answered, engineSpec, grant, modelsBody } from './testing/engine-spec.ts'
import { vllmDriver } from './vllm-driver.ts'

const GIB = 1_073_741_824
const gpu = (deviceId: string, freeGib = 79, totalGib = 80) => ({
  ...({ deviceId, uuid: `GPU-${deviceId}`, kind: 'nvidia', computeCapability: '9.0' } as const),
  memoryTotalBytes: totalGib * GIB,
  memoryFreeBytes: freeGib * GIB,
})
const spec = engineSpec('vllm', {
  ...{ modelId: 'Qwen/Qwen3-8B', modelRef: 'hf:Qwen/Qwen3-8B@v1', contextLength: 32_768 },
  slots: 16,
})
const { modelPath: _, ...bare } = grant
const onGpu: LaunchGrant = {
  ...{ ...bare, devices: ['0'], gpus: [gpu('0')], program: '/opt/vllm/bin/vllm' },
  programVersion: '0.13.0\n',
}
const planned = (change: Partial<EngineSpec> = {}, given: Partial<LaunchGrant> = {}) => {
  const plan = vllmDriver.plan({ ...spec, ...change }, { ...onGpu, ...given })
  if (plan.kind !== 'process') throw new Error('it is attached to')
  return { ...plan, line: plan.argv.join(' ') }
}
const withOptions = (options: EngineOptions, given: Partial<LaunchGrant> = {}) =>
  planned({ options }, given)

describe('the plan of a vLLM', () => {
  it('[003-UT-001, 003-FR-007, 003-FR-008, 003-FR-009, 003-AC-002] runs `vllm serve` with the model, a loopback port and its key in the environment only', () => {
    const { argv, env, access, stopGraceMs } = planned()
    expect(argv).toEqual([
      ...['/opt/vllm/bin/vllm', 'serve', 'Qwen/Qwen3-8B'],
      ...['--host', '127.0.0.1', '--port', '4100'],
      ...['--served-model-name', 'Qwen/Qwen3-8B', '--revision', 'v1'],
      ...['--gpu-memory-utilization', '0.9', '--max-model-len', '32768', '--max-num-seqs', '16'],
      '--disable-uvicorn-access-log',
    ])
    expect(env).toEqual({
      ...{ VLLM_API_KEY: 'minted', VLLM_NO_USAGE_STATS: '1', HF_HUB_DISABLE_TELEMETRY: '1' },
      PYTHONUNBUFFERED: '1',
    })
    expect(access).toEqual({
      baseUrl: 'http://127.0.0.1:4100',
      headers: { authorization: 'Bearer minted' },
      readyProbes: [
        { path: '/health', timeoutMs: 5000 },
        { path: '/v1/models', timeoutMs: 5000 },
      ],
      metricsPath: '/metrics',
      hasLiveCounters: true,
      connections: 'keep_alive',
      versionPath: '/version',
    })
    expect(stopGraceMs).toBe(10_000)
  })

  it('[003-FR-007, 001-OPT-7] runs the module of a Python where that is what was found', () => {
    const module = ['-m', 'vllm.entrypoints.openai.api_server', '--model', 'Qwen/Qwen3-8B']
    for (const program of ['/usr/bin/python3', '/venv/bin/python3.12', 'python']) {
      const { argv } = planned({}, { program })
      expect(argv.slice(0, 5)).toEqual([program, ...module])
    }
    expect(planned({}, { program: '/opt/python3/bin/vllm' }).argv[1]).toBe('serve')
  })

  it('asks a program for its version as it answers fastest', () => {
    expect(vllmDriver.versionArgvOf!('/usr/bin/vllm')).toEqual(['--version'])
    expect(vllmDriver.versionArgvOf!('/usr/bin/python3')[0]).toBe('-c')
  })

  it('serves a folder of this host without asking the Hub [003-AC-025]', () => {
    const { line, env } = planned(
      { modelId: 'qwen', modelRef: 'file:qwen' },
      { modelPath: '/models/qwen', modelCacheDir: '/cache', homeDir: '/state/home' },
    )
    expect(line).toContain('serve /models/qwen --host 127.0.0.1 --port 4100 --served-model-name')
    expect(line).not.toMatch(/--revision|--download-dir/)
    expect(env).toMatchObject({ HF_HUB_OFFLINE: '1', TRANSFORMERS_OFFLINE: '1' })
    expect(env).toMatchObject({ VLLM_CACHE_ROOT: '/state/home/vllm' })
    expect(env).not.toHaveProperty('HF_HUB_CACHE')
  })

  it('[003-FR-024, 001-LDR-6] reads only its cache where nothing may be fetched, and else fetches into it', () => {
    const cached = { modelCacheDir: '/cache', modelRevision: 'c0ffee' }
    const online = planned({}, cached)
    expect(online.line).toContain('--revision c0ffee --download-dir /cache')
    expect(online.env).toMatchObject({ HF_HUB_CACHE: '/cache' })
    expect(online.env).not.toHaveProperty('HF_HUB_OFFLINE')
    expect(planned({}, { ...cached, isOffline: true }).env).toMatchObject({
      ...{ HF_HUB_CACHE: '/cache', HF_HUB_OFFLINE: '1', TRANSFORMERS_OFFLINE: '1' },
    })
  })

  it('[003-FR-006, 003-FR-011, 003-FR-029, 003-FR-030, 003-AC-029] spreads the model as it is told to', () => {
    const gpus = [gpu('0'), gpu('1'), gpu('2'), gpu('3')]
    const devices = gpus.map(({ deviceId }) => deviceId)
    const options = { tensor_parallel_size: 2, pipeline_parallel_size: 2 }
    expect(withOptions(options, { gpus, devices }).line).toContain(
      '--tensor-parallel-size 2 --pipeline-parallel-size 2',
    )
    expect(planned().line).not.toContain('parallel')
  })

  it('[003-FR-031] never chooses a quantization, and takes the one it is told', () => {
    const chosen = (options: EngineOptions) => withOptions(options).line
    for (const version of ['0.4.0', '0.9.2', '0.25.1'])
      expect(planned({}, { programVersion: version }).line).not.toMatch(
        /quantization|kv-cache-dtype/,
      )
    expect(chosen({ quantization: 'awq', kv_cache_dtype: 'fp8' })).toContain(
      '--quantization awq --kv-cache-dtype fp8',
    )
  })

  it('opens developer routes, adapters and foreign code only where that is asked for', () => {
    const plain = planned()
    expect(plain.line).not.toMatch(/trust-remote-code|enable-lora|enable-sleep/)
    expect(Object.keys(plain.env).join()).not.toMatch(/DEV_MODE|RUNTIME_LORA/)
    const { line, env } = withOptions({
      ...{ trust_remote_code: true, enable_lora: true, max_loras: 4, max_lora_rank: 32 },
      ...{ enable_sleep_mode: true, seed: 7, enforce_eager: true, tool_call_parser: 'hermes' },
    })
    expect(line).toContain('--enforce-eager --trust-remote-code --enable-lora')
    expect(line).toContain('--max-loras 4 --max-lora-rank 32 --enable-sleep-mode')
    expect(line).toContain('--seed 7')
    expect(line).toContain('--enable-auto-tool-choice --tool-call-parser hermes')
    expect(env).toMatchObject({ VLLM_ALLOW_RUNTIME_LORA_UPDATING: 'True' })
    expect(env).toMatchObject({ VLLM_SERVER_DEV_MODE: '1' })
  })
})

describe('what a vLLM is told depends on its version [003-NFR-017]', () => {
  const EVERYTHING = {
    ...{ enable_sleep_mode: true, enable_prefix_caching: false },
    kv_cache_memory_bytes: 1_000_000,
  }
  it.each([
    ['0.4.0', '--disable-log-requests --uvicorn-log-level warning'],
    ['0.6.4.post1', '--disable-log-requests --uvicorn-log-level warning'],
    ['0.8.5', '--enable-sleep-mode --disable-log-requests --uvicorn-log-level warning'],
    [
      '0.10.0',
      '--no-enable-prefix-caching --enable-sleep-mode --disable-log-requests --disable-uvicorn-access-log',
    ],
    [
      '0.11.1rc3.dev12+g0a1b2c3',
      '--no-enable-prefix-caching --enable-sleep-mode --disable-uvicorn-access-log',
    ],
    [
      'INFO 01-01 [x] Automatically detected platform cuda.\n0.25.1\n',
      '--no-enable-prefix-caching --enable-sleep-mode --disable-uvicorn-access-log --shutdown-timeout 8',
    ],
    ['', '--no-enable-prefix-caching --enable-sleep-mode --disable-uvicorn-access-log'],
  ])('%j', (programVersion, flags) => {
    const { line } = withOptions(EVERYTHING, { programVersion })
    const hasKvBytes = line.includes('--kv-cache-memory-bytes 1000000')
    expect(line.slice(line.indexOf('--max-num-seqs 16') + 18)).toBe(flags)
    expect(hasKvBytes).toBe(!/^0\.(?:[4-9]|10)\./.test(programVersion))
  })

  it('and one before 0.4.0 is refused with what to do', () => {
    const old = () => planned({}, { programVersion: '0.3.3' })
    expect(old).toThrow('/opt/vllm/bin/vllm is vLLM 0.3.3, and Berth needs 0.4.0 or newer')
  })
})

describe('the share of a GPU [003-FR-028, 003-AC-028, 001-OPT-13]', () => {
  const shareOf = (options: EngineOptions, given: Partial<LaunchGrant>) =>
    /--gpu-memory-utilization (\S+)/.exec(withOptions(options, given).line)?.[1]

  it.each([
    ['0.9 of one that is empty', {}, { gpus: [gpu('0', 80)] }, '0.9'],
    ['what is asked for', { gpu_memory_utilization: 0.5 }, { gpus: [gpu('0', 80)] }, '0.5'],
    ['what is free but 1 GiB, when that is less', {}, { gpus: [gpu('0', 41)] }, '0.5'],
    [
      'less than is asked for, when others hold the rest',
      { gpu_memory_utilization: 0.95 },
      { gpus: [gpu('0', 20.53)] },
      '0.244',
    ],
    ['the budget of the pool', {}, { vramBudgetBytes: 20 * GIB }, '0.25'],
    [
      'of the fullest of those it takes',
      { tensor_parallel_size: 2 },
      { gpus: [gpu('0', 61), gpu('1', 31), gpu('2', 5)], devices: ['0', '1', '2'] },
      '0.375',
    ],
  ] as const)('is %s', (_what, options, given, share) => {
    expect(shareOf(options, given)).toBe(share)
  })

  it('is left to vLLM where the GPU does not tell its memory, and on the CPU', () => {
    const mute = { deviceId: '0', uuid: 'u', kind: 'nvidia', computeCapability: '12.1' } as const
    expect(shareOf({}, { gpus: [mute] })).toBeUndefined()
    expect(shareOf({ gpu_memory_utilization: 0.4 }, { gpus: [mute] })).toBe('0.4')
    const onCpu = withOptions({ cpu_kv_cache_gib: 4 }, { devices: ['cpu'], gpus: [] })
    expect(onCpu.line).not.toContain('utilization')
    expect(onCpu.env).toMatchObject({ VLLM_CPU_KVCACHE_SPACE: '4' })
  })

  it('of a full GPU is no start, and the facts say why', () => {
    const full = () => planned({}, { gpus: [gpu('0', 1.5)] })
    expect(full).toThrow('GPU 0 has 1.5 of 80.0 GiB free, and 1 GiB is left free')
  })

  it('is what the memory plan reserves, over as many devices as share the weights', () => {
    const options = { tensor_parallel_size: 2, gpu_memory_utilization: 0.6, kv_cache_dtype: 'fp8' }
    const gpus = [gpu('0'), gpu('1')]
    expect(vllmDriver.memoryPlan!({ ...spec, options }, { devices: ['0', '1'], gpus })).toEqual({
      ...{ kind: 'reserved', share: 0.6, parallel: 2, maxTokens: 32_768, kvNumberBytes: 1 },
      overheadBytes: 1.5 * GIB,
    })
    expect(vllmDriver.memoryPlan!(spec, { devices: ['cpu'], gpus: [] }).kind).toBe('unknown')
  })
})

describe('a vLLM that answers', () => {
  const probe = (path: string) => ({ path, timeoutMs: 5000 })
  const read = (path: string, ...answer: Parameters<typeof answered>) =>
    vllmDriver.readProbe(probe(path), answered(...answer), spec)

  it('[003-UT-005, 003-FR-016] is asked for /health, which no 500 or 503 passes', () => {
    expect(read('/health', '')).toEqual({ verdict: 'healthy' })
    expect(read('/health', '', 200, 2_000)).toEqual({ verdict: 'degraded' })
    for (const status of [500, 503])
      expect(read('/health', '', status)).toMatchObject({ verdict: 'unhealthy' })
    const late = vllmDriver.readProbe(probe('/health'), { kind: 'timeout' }, spec)
    expect(late.verdict).toBe('unknown')
  })

  it('[003-UT-006, 003-FR-017, 003-FR-018, 003-AC-014, 003-AC-015] serves only when /v1/models lists the model', () => {
    expect(read('/v1/models', modelsBody('Qwen/Qwen3-8B', 'adapter'))).toEqual({
      ...{ verdict: 'healthy', modelIds: ['Qwen/Qwen3-8B', 'adapter'] },
    })
    expect(read('/v1/models', modelsBody('other'))).toEqual({
      ...{ verdict: 'unhealthy', fact: '/v1/models lists other, not Qwen/Qwen3-8B' },
    })
    expect(read('/v1/models', '{"error":"Unauthorized"}', 401)).toMatchObject({
      ...{ verdict: 'unhealthy', fact: expect.stringContaining('does not accept our key') },
    })
  })
})

describe('a vLLM that somebody else runs [001-MODE-6]', () => {
  const foreign = { mode: 'monitored', url: 'http://10.0.0.7:8000/v1' } as const

  it('is attached to, whatever its options', () => {
    const plan = vllmDriver.plan({ ...spec, ...foreign }, grant)
    expect(plan).toMatchObject({ kind: 'attach', access: { baseUrl: 'http://10.0.0.7:8000' } })
    expect(vllmDriver.check({ ...spec, ...foreign })).toEqual([])
    expect(vllmDriver.checkDevices!({ ...spec, ...foreign }, ['cpu'])).toEqual([])
  })

  it('needs an address', () => {
    expect(vllmDriver.check({ ...spec, mode: 'external' })).toEqual([
      'url: is needed when Berth does not start the server',
    ])
  })
})

describe('the metrics of a vLLM', () => {
  const recorded = (name: string) =>
    readFileSync(new URL(`../fixtures/vllm/${name}`, import.meta.url), 'utf8')

  it('of 0.5 are read, whatever the cache gauge is called there', () => {
    expect(vllmDriver.readMetrics(recorded('metrics_v0_llama-3.1-8b_0.5.txt'))).toMatchObject({
      ...{ running: 3, kvUsageRatio: expect.closeTo(0.0026, 4) },
      promptTokensTotal: expect.any(Number),
      generatedTokensTotal: expect.any(Number),
    })
  })

  it('of 0.26 still have every family that is read', () => {
    const families = recorded('metric-families_0.26.0.txt').split('\n')
    for (const family of [
      ...['vllm:num_requests_running gauge', 'vllm:num_requests_waiting gauge'],
      ...['vllm:kv_cache_usage_perc gauge', 'vllm:prompt_tokens_total counter'],
      'vllm:generation_tokens_total counter',
    ])
      expect(families).toContain(family)
  })
})
