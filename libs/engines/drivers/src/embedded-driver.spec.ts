import { describe, expect, it } from '@jest/globals'
import type { EngineOptions } from '@berth/supervision'
import { embeddedDriver } from './embedded-driver.ts'
import { answered, engineSpec, grant, modelsBody } from './testing/engine-spec.ts'

const HEALTH = { path: '/health', timeoutMs: 5000 }
const PROPS = { path: '/props', timeoutMs: 5000 }
const MODELS = { path: '/v1/models', timeoutMs: 5000 }
const spec = engineSpec('embedded')

describe('the embedded driver', () => {
  it('plans our own server, one thread, with the key in the environment only [002-08a]', () => {
    expect(embeddedDriver.plan(spec, grant)).toEqual({
      kind: 'process',
      argv: [
        '/opt/node',
        '/opt/berth/embedded-engine.js',
        '--model',
        '/models/m1.gguf',
        '--host',
        '127.0.0.1',
        '--port',
        '4100',
        '--slots',
        '2',
        '--ctx',
        '4096',
        '--threads',
        '1',
        '--alias',
        'm1',
        '--runtime-dir',
        '/var/berth/runtime',
      ],
      env: { BERTH_ENGINE_API_KEY: 'minted' },
      access: {
        baseUrl: 'http://127.0.0.1:4100',
        headers: { authorization: 'Bearer minted' },
        readyProbes: [HEALTH, MODELS, PROPS],
        metricsPath: '/metrics',
        hasLiveCounters: true,
        connections: 'fresh',
        versionPath: '/props',
      },
      stopGraceMs: 10_000,
    })
  })

  it('turns options into flags [002-08b2]', () => {
    const options = { threads: 4, embeddings: true, batching: 'shared', max_queued: 8 }
    const plan = embeddedDriver.plan({ ...spec, options }, grant)
    const argv = (plan.kind === 'process' ? plan.argv : []).join(' ')
    expect(argv).toContain('--threads 4 --alias m1')
    expect(argv).toContain('--embeddings --batching shared --max-queued 8')
    expect(embeddedDriver.check({ ...spec, options })).toEqual([])
  })

  it('says of every wrong option what it may be', () => {
    const options = { threads: 0, embeddings: 'yes', gpu: 'cuda', nope: 1 }
    expect(embeddedDriver.check({ ...spec, slots: 65, options })).toEqual([
      'slots: at most 64 on the embedded engine',
      'engine_options.threads: has to be a whole number from 1 to 1024',
      'engine_options.embeddings: has to be true or false',
      'engine_options.gpu: has to be one of auto, off',
      'engine_options.nope: is not an option (known: threads, embeddings, gpu, batching, max_queued)',
    ])
  })

  it('refuses to plan without a model file', () => {
    const { modelPath: _modelPath, ...without } = grant
    expect(() => embeddedDriver.plan(spec, without)).toThrow(
      expect.objectContaining({ reason: 'CONFIG_INVALID' }),
    )
  })

  it('runs another program when the pool names one', () => {
    const plan = embeddedDriver.plan({ ...spec, binaryPath: '/usr/bin/mine' }, grant)
    expect(plan.kind === 'process' && plan.argv.slice(0, 2)).toEqual(['/usr/bin/mine', '--model'])
  })

  it('tells from its log how far the weights are', () => {
    const read = (line: string) => embeddedDriver.readLog?.(line)
    expect(read("loading model '/models/m1.gguf'")).toMatchObject({ phase: 'load', percent: 0 })
    expect(read('loading weights: 45 %')).toMatchObject({ phase: 'load', percent: 45 })
    expect(read('model loaded, slots: 2, n_ctx: 4096')).toMatchObject({ phase: 'warm' })
    expect(read('listening on http://127.0.0.1:4100')).toBeUndefined()
  })

  it('takes a cache for every slot, in main memory unless it may use a GPU', () => {
    const plan = (options: object, contextLength = 4096) =>
      embeddedDriver.memoryPlan?.({ ...spec, contextLength, options: { ...options } }, grant)
    expect(plan({})).toMatchObject({ kind: 'allocated', kvTokens: 8192, gpuBlocks: 0 })
    expect(plan({}, 100)).toMatchObject({ kvTokens: 256, sequences: 2 })
    expect(plan({ gpu: 'auto' })).toMatchObject({ gpuBlocks: 'all', batchTokens: 512 })
  })

  it('offers embeddings where the pool asks for them', () => {
    const routes = (options: EngineOptions) => embeddedDriver.routes?.({ ...spec, options })
    expect(routes({})).not.toContain('/v1/embeddings')
    expect(routes({ embeddings: true })).toContain('/v1/embeddings')
  })

  it('attaches to a url when it is not managed', () => {
    const external = { ...spec, mode: 'external' as const, url: 'http://127.0.0.1:9/' }
    expect(embeddedDriver.check(external)).toEqual([])
    expect(embeddedDriver.plan(external, grant)).toMatchObject({
      kind: 'attach',
      access: { baseUrl: 'http://127.0.0.1:9', headers: {} },
    })
  })

  it('is ready only when the model is listed', () => {
    expect(embeddedDriver.readProbe(HEALTH, answered('{"status":"ok"}'), spec)).toEqual({
      verdict: 'healthy',
    })
    expect(embeddedDriver.readProbe(PROPS, answered('{"total_slots":2}'), spec)).toEqual({
      verdict: 'healthy',
      slots: 2,
    })
    expect(embeddedDriver.readProbe(MODELS, answered(modelsBody('m1')), spec)).toEqual({
      verdict: 'healthy',
      modelIds: ['m1'],
    })
    expect(embeddedDriver.readProbe(MODELS, answered(modelsBody('other')), spec)).toEqual({
      verdict: 'unhealthy',
      fact: '/v1/models lists other, not m1',
    })
  })
})
