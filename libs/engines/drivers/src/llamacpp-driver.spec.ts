import { describe, expect, it } from '@jest/globals'
import type { EngineOptions, EngineSpec, GrantedGpu, LaunchGrant } from '@berth/supervision'
import { llamacppDriver } from './llamacpp-driver.ts'
import { answered, engineSpec, grant, modelsBody } from './testing/engine-spec.ts'
import { readFixture } from './testing/read-fixture.ts'

const HEALTH = { path: '/health', timeoutMs: 5000 }
const MODELS = { path: '/v1/models', timeoutMs: 5000 }
const PROPS = { path: '/props', timeoutMs: 5000 }
const GIB = 1_073_741_824
const spec = engineSpec('llamacpp')

const gpu = (more: Partial<GrantedGpu> = {}): GrantedGpu => ({
  ...{ deviceId: '0', uuid: 'GPU-0', kind: 'nvidia', computeCapability: '8.9' },
  ...{ memoryTotalBytes: 24 * GIB, memoryFreeBytes: 20 * GIB },
  ...more,
})
const granted = (...gpus: readonly GrantedGpu[]): LaunchGrant => ({
  ...grant,
  devices: gpus.map(({ deviceId }) => deviceId),
  gpus,
})
const ONE = granted(gpu())
const TWO = granted(gpu(), gpu({ deviceId: '1', uuid: 'GPU-1', memoryFreeBytes: 10 * GIB }))

const plan = (more: Partial<EngineSpec>, of: LaunchGrant = grant) => {
  const made = llamacppDriver.plan({ ...spec, ...more }, of)
  if (made.kind !== 'process') throw new Error('It was to start a process')
  return made
}
const argv = (options: EngineOptions, of?: LaunchGrant, more: Partial<EngineSpec> = {}) =>
  plan({ options, ...more }, of).argv.join(' ')
const problems = (options: EngineOptions, more: Partial<EngineSpec> = {}) =>
  llamacppDriver.check({ ...spec, options, ...more })

describe('a plan of llama-server', () => {
  it('says what it would decide by itself, no quantisation, and the key by environment [003-FR-031]', () => {
    expect(plan({})).toEqual({
      kind: 'process',
      argv: [
        ...['llama-server', '--model', '/models/m1.gguf', '--host', '127.0.0.1', '--port', '4100'],
        ...['--alias', 'm1', '-c', '8192', '-np', '2', '-dev', 'none', '-fit', 'off', '-t', '1'],
        ...['--cache-ram', '512', '--metrics', '--slots', '--no-webui', '--offline'],
        ...['--sse-ping-interval', '-1', '-lv', '4', '--log-colors', 'off'],
      ],
      env: { LLAMA_API_KEY: 'minted' },
      access: {
        baseUrl: 'http://127.0.0.1:4100',
        headers: { authorization: 'Bearer minted' },
        readyProbes: [HEALTH, MODELS, PROPS],
        metricsPath: '/metrics',
        connections: 'fresh',
        mustStream: true,
        versionPath: '/props',
      },
      stopGraceMs: 10_000,
    })
  })

  it.each<readonly [string, LaunchGrant, EngineOptions, string]>([
    ['one GPU', ONE, {}, '-ngl 999 -dev CUDA0 -sm none -fit'],
    ['some layers', ONE, { gpu_layers: 12 }, '-ngl 12 -dev CUDA0 -sm none -fit'],
    ['two GPUs', TWO, {}, '-ngl 999 -dev CUDA0,CUDA1 -sm layer -ts 20480,10240 -fit'],
    ['rows', TWO, { split_mode: 'row' }, '-dev CUDA0,CUDA1 -sm row -ts 20480,10240 -fit'],
    ['a split', TWO, { tensor_split: '3,1' }, '-sm layer -ts 3,1 -fit'],
    ['a budget', { ...TWO, vramBudgetBytes: 5 * GIB }, {}, '-sm layer -ts 5120,5120 -fit'],
    ['a MIG slice', granted(gpu({ kind: 'nvidia_mig' })), {}, '-ngl 999 -dev CUDA0 -sm none -fit'],
    ['AMD', granted(gpu({ kind: 'amd' })), {}, '-ngl 999 -dev ROCm0 -sm none -fit'],
    ['another backend', ONE, { device: 'Vulkan0' }, '-ngl 999 -dev Vulkan0 -sm none -fit'],
    ['experts aside', ONE, { n_cpu_moe: 8 }, '-ncmoe 8'],
  ])('puts the layers on what was granted: %s', (_name, of, options, flags) => {
    expect(argv(options, of)).toContain(flags)
  })

  it('leaves the split to the engine where nobody knows the memory of the GPUs', () => {
    const { memoryFreeBytes: _f, memoryTotalBytes: _t, ...blind } = gpu()
    expect(argv({}, granted(blind, blind))).toContain('-sm layer -fit')
  })

  it.each<readonly [string, EngineOptions, string]>([
    ['keys of 8 bits', { cache_type_k: 'q8_0' }, '--cache-ram 512 -ctk q8_0 --metrics'],
    ['values of 8 bits', { cache_type_v: 'q8_0' }, '-fa on --cache-ram 512 -ctv q8_0'],
    ['flash attention', { flash_attn: 'off' }, '-fa off'],
    ['threads', { threads: 8, threads_batch: 16 }, '-t 8 --cache-ram 512 -tb 16'],
    ['batches', { batch_size: 1024, ubatch_size: 256 }, '-b 1024 -ub 256'],
    ['embeddings', { embeddings: true, pooling: 'mean' }, '--embeddings --pooling mean'],
    ['reranking', { reranking: true }, '--reranking'],
    ['a projector', { mmproj: '/m/p.gguf' }, '--mmproj /m/p.gguf'],
    [
      'adapters',
      { lora: '/m/a.gguf,/m/b.gguf', lora_init_without_apply: true },
      '--lora /m/a.gguf,/m/b.gguf --lora-init-without-apply',
    ],
    ['a template', { chat_template: 'chatml', jinja: false }, '--chat-template chatml --no-jinja'],
    ['a template file', { chat_template_file: '/m/t.jinja' }, '--chat-template-file /m/t.jinja'],
    ['no prompt cache', { cache_prompt: false }, '--cache-ram 0 --no-cache-prompt'],
    ['a small one', { cache_ram_mib: 64 }, '--cache-ram 64'],
    ['one cache', { kv_unified: true, swa_full: true }, '-kvu --swa-full'],
    ['loading', { load_mode: 'mlock', warmup: false }, '-lm mlock --no-warmup'],
    [
      'a longer context',
      { rope_scaling: 'yarn', rope_scale: 4, yarn_orig_ctx: 32768 },
      '--rope-scaling yarn --rope-scale 4 --yarn-orig-ctx 32768',
    ],
    ['off is off', { embeddings: false, kv_unified: false, warmup: true }, '512 --metrics'],
  ])('turns options into flags: %s', (_name, options, flags) => {
    expect(problems(options)).toEqual([])
    expect(argv(options)).toContain(flags)
  })

  it('keeps nothing of earlier requests in a strict pool', () => {
    expect(argv({}, grant, { slots: 1, isStrict: true })).toContain(
      '-c 4096 -np 1 -dev none -fit off -t 1 --cache-ram 0 --no-cache-prompt',
    )
  })

  it('runs the program of the pool, else the one that was found', () => {
    const found = { ...grant, program: '/opt/llama/llama-server' }
    expect(plan({}, found).argv[0]).toBe('/opt/llama/llama-server')
    expect(plan({ binaryPath: '/usr/bin/mine' }, found).argv[0]).toBe('/usr/bin/mine')
  })

  it('is not made without a model file, or with a split that does not fit', () => {
    const { modelPath: _modelPath, ...without } = grant
    const refusal = expect.objectContaining({ reason: 'CONFIG_INVALID' })
    expect(() => plan({}, without)).toThrow(refusal)
    expect(() => plan({ options: { tensor_split: '1,1,1' } }, TWO)).toThrow(refusal)
    expect(() => plan({ options: { tensor_split: '0,0' } }, TWO)).toThrow(refusal)
  })

  it('attaches to a server that somebody else runs', () => {
    const url = 'http://127.0.0.1:8080/'
    const external = { ...spec, mode: 'external' as const, url, options: { api_key: 'theirs' } }
    expect(llamacppDriver.check(external)).toEqual([])
    expect(llamacppDriver.plan(external, grant)).toMatchObject({
      kind: 'attach',
      access: {
        baseUrl: 'http://127.0.0.1:8080',
        headers: { authorization: 'Bearer theirs' },
        mustStream: true,
      },
    })
  })
})

describe('a pool of llama-server', () => {
  it('is told of every option that is wrong', () => {
    expect(
      problems({ threads: 0, gpu_layers: 0, cache_type_k: 'q6_k', tensor_split: '3;1' }),
    ).toEqual([
      'engine_options.threads: has to be a whole number from 1 to 1024',
      'engine_options.gpu_layers: has to be a whole number from 1 to 10000',
      'engine_options.cache_type_k: has to be one of f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl',
      'engine_options.tensor_split: has to be numbers with commas between them, such as 3,1',
    ])
    expect(problems({ cache_type_v: 'q4_0', flash_attn: 'off' })).toEqual([
      'engine_options.flash_attn: a quantised cache_type_v needs it on',
    ])
    expect(problems({ embeddings: true, reranking: true })).toHaveLength(1)
    expect(problems({ api_key: 'mine' })).toHaveLength(1)
    expect(problems({}, { slots: 257 })).toHaveLength(1)
    expect(problems({}, { slots: 256, contextLength: 16_777_216 })).toHaveLength(1)
    expect(problems({}, { modelId: 'a,b' })).toHaveLength(1)
  })

  it.each([
    ...['tools', 'agent', 'mcp_servers_config', 'ui_mcp_proxy', 'models_dir', 'slot_save_path'],
    ...['api_key_file', 'path', 'media_path', 'rpc', 'host', 'port', 'model', 'hf_repo', 'props'],
    ...['log_file', 'log_prompts_dir', '__proto__', 'constructor'],
  ])('cannot open what %s opens', (key) => {
    expect(problems({ [key]: '/' }).join()).toContain('is not an option')
  })

  it.each([
    { mmproj: '--tools' },
    { lora: '/m/a.gguf,--tools' },
    { chat_template: '--tools' },
    { chat_template_file: '../t.jinja' },
    { device: '--tools' },
  ])('cannot smuggle a flag: %p', (options: EngineOptions) => {
    expect(problems(options)).toHaveLength(1)
  })

  it.each(['none', 'CUDA0,none', 'CPU'])(
    'of a pool with a GPU may not be sent to the CPU by its name: device %s',
    (device) => {
      const checked = llamacppDriver.checkDevices!({ ...spec, options: { device } }, ['nvidia'])
      expect(checked).toEqual([
        expect.stringMatching(/^engine_options\.device: .*devices: \[cpu\]/),
      ])
    },
  )

  it('is told when its options do not go with its devices', () => {
    const check = (options: EngineOptions, ...kinds: readonly string[]) =>
      llamacppDriver.checkDevices!({ ...spec, options }, kinds)
    expect(check({ tensor_split: '1,1' }, 'nvidia', 'nvidia')).toEqual([])
    expect(check({ tensor_split: '1,1' }, 'nvidia')).toHaveLength(1)
    expect(check({ gpu_layers: 3, device: 'CUDA0' }, 'cpu')).toHaveLength(2)
    expect(check({}, 'cpu', 'nvidia')).toHaveLength(1)
  })

  it('is told before it loads when heads do not fill the blocks of the cache', () => {
    const dimensions = {
      ...{ layers: 2, kvHeads: 2, keyDim: 80, valueDim: 64, kvDtypeBytes: 2 },
      ...{ windowLayers: 0, windowTokens: 0, latentDim: 0 },
    }
    const modelFacts = { dimensions } as LaunchGrant['modelFacts'] & object
    const of = { ...grant, modelFacts }
    expect(() => argv({ cache_type_k: 'q8_0' }, of)).toThrow(/cache_type_k: q8_0 .* head .* has 80/)
    expect(argv({ cache_type_v: 'q8_0' }, of)).toContain('-ctv q8_0')
    expect(argv({}, of)).not.toContain('-ctk')
  })

  it('offers embeddings and ranks only when started for them', () => {
    const routes = (options: EngineOptions) => llamacppDriver.routes!({ ...spec, options })
    expect(routes({})).not.toContain('/v1/embeddings')
    expect(routes({ embeddings: true })).toContain('/v1/embeddings')
    expect(routes({ reranking: true })).toContain('/v1/rerank')
    expect(routes({})).toContain('/v1/chat/completions')
  })
})

describe('what llama-server answers', () => {
  it('reads as loading until the model is there', () => {
    const body = '{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'
    for (const probe of [HEALTH, MODELS, PROPS])
      expect(llamacppDriver.readProbe(probe, answered(body, 503), spec).verdict).toBe('loading')
  })

  it('is healthy with its model and its slots', () => {
    const read = (probe: typeof HEALTH, body: string) =>
      llamacppDriver.readProbe(probe, answered(body), spec)
    expect(read(HEALTH, '{"status":"ok"}')).toEqual({ verdict: 'healthy' })
    expect(read(MODELS, modelsBody('m1'))).toEqual({ verdict: 'healthy', modelIds: ['m1'] })
    expect(read(MODELS, modelsBody('other')).verdict).toBe('unhealthy')
    expect(read(PROPS, readFixture('llamacpp/props_2025-02.json'))).toEqual({
      verdict: 'healthy',
      slots: 1,
    })
  })

  it('has no counters where its metrics are off', () => {
    const body = readFixture('llamacpp/error_metrics-disabled_2025-02.json')
    expect(llamacppDriver.readMetrics(body)).toEqual({})
  })
})
