import { describe, expect, it } from '@jest/globals'
import { simDriver } from './sim-driver.ts'
import { answered, engineSpec, grant, modelsBody } from './testing/engine-spec.ts'

const spec = engineSpec('sim', {
  options: { dialect: 'llamacpp', tokens_per_s: 50, seed: 7, hang: true, metrics: false },
})
const probe = (path: string) => ({ path, timeoutMs: 5000 })

describe('the sim driver', () => {
  it('plans the simulator with its knobs as flags and the key in the environment [002-08a, 002-08b2]', () => {
    expect(simDriver.plan(spec, grant)).toEqual({
      kind: 'process',
      argv: [
        '/opt/node',
        '/opt/berth/sim-engine.js',
        '--host',
        '127.0.0.1',
        '--port',
        '4100',
        '--slots',
        '2',
        '--ctx',
        '4096',
        '--model',
        'm1',
        '--dialect=llamacpp',
        '--tokens-per-s=50',
        '--seed=7',
        '--hang=true',
        '--metrics=false',
      ],
      env: { BERTH_ENGINE_API_KEY: 'minted' },
      access: {
        baseUrl: 'http://127.0.0.1:4100',
        headers: { authorization: 'Bearer minted' },
        readyProbes: [probe('/health'), probe('/v1/models'), probe('/props')],
        metricsPath: '/metrics',
        mustStream: true,
        connections: 'fresh',
        versionPath: '/props',
      },
      stopGraceMs: 10_000,
    })
  })

  it.each([
    ['vllm', ['/health', '/v1/models'], 'keep_alive', '/metrics'],
    ['ollama', ['/api/version', '/v1/models'], 'keep_alive', undefined],
  ])('asks %s what the real engine is asked', (dialect, paths, connections, metricsPath) => {
    const { access } = simDriver.plan({ ...spec, options: { dialect } }, grant)
    expect(access.readyProbes.map(({ path }) => path)).toEqual(paths)
    expect(access.connections).toBe(connections)
    expect(access.metricsPath).toBe(metricsPath)
  })

  it('says of every option what is wrong with it', () => {
    const options = { dialect: 'tgi', tokens_per_s: 'fast', port: 1, nope: 1, load_ms: 5 }
    expect(simDriver.check({ ...spec, options })).toEqual([
      'engine_options.dialect: "tgi" does not fit',
      'engine_options.tokens_per_s: "fast" does not fit',
      'engine_options.port: is set by the agent',
      'engine_options.nope: is not a knob of the simulator',
    ])
    expect(simDriver.check(spec)).toEqual([])
  })

  it('needs a url when it is not managed', () => {
    expect(simDriver.check({ ...spec, mode: 'monitored' })).toEqual([
      'url: is needed when Berth does not start the server',
    ])
  })

  it('reads the loading answer, the model and the slots', () => {
    const loading = '{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'
    expect(simDriver.readProbe(probe('/health'), answered(loading, 503), spec).verdict).toBe(
      'loading',
    )
    expect(simDriver.readProbe(probe('/v1/models'), answered(modelsBody('m1')), spec)).toEqual({
      verdict: 'healthy',
      modelIds: ['m1'],
    })
    expect(simDriver.readProbe(probe('/props'), answered('{"total_slots":2}'), spec)).toEqual({
      verdict: 'healthy',
      slots: 2,
    })
    // vLLM's /health has no body.
    expect(simDriver.readProbe(probe('/health'), answered(''), spec).verdict).toBe('healthy')
  })

  it('takes adapters and sleeps as vLLM does, where its knobs say so', () => {
    const asked = (options: Readonly<Record<string, boolean | string>>) => {
      const spec = engineSpec('sim', { options })
      return [simDriver.modelCalls!(spec), simDriver.sleepCalls!(spec)].map(Boolean)
    }
    expect(asked({ lora: true, sleep: true })).toEqual([true, true])
    expect(asked({})).toEqual([false, false])
    expect(asked({ dialect: 'llamacpp', lora: true, sleep: true })).toEqual([false, false])
  })
})
