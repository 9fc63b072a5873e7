import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { openAiDriver } from './openai-driver.ts'
import { answered, engineSpec, grant, modelsBody } from './testing/engine-spec.ts'

const MODELS = { path: '/v1/models', timeoutMs: 5000 }
const spec = engineSpec('openai', { mode: 'external', url: 'https://llm.example/v1/' })
const fixture = (name: string): string =>
  readFileSync(new URL(`../fixtures/${name}`, import.meta.url), 'utf8')

describe('the openai driver', () => {
  it('attaches to a url, with or without /v1, and never starts anything', () => {
    expect(openAiDriver.plan(spec, grant)).toEqual({
      kind: 'attach',
      access: {
        baseUrl: 'https://llm.example',
        headers: {},
        readyProbes: [MODELS],
        connections: 'fresh',
      },
    })
  })

  it('sends the key and reads the metrics that its options name', () => {
    const options = { api_key: 'k', metrics_path: '/metrics' }
    expect(openAiDriver.plan({ ...spec, options }, grant)).toMatchObject({
      access: { headers: { authorization: 'Bearer k' }, metricsPath: '/metrics' },
    })
  })

  it('refuses to be managed, and needs an address', () => {
    const { url: _url, ...without } = spec
    expect(openAiDriver.check({ ...without, mode: 'managed' })).toEqual([
      'mode: an openai server is never started by Berth; use monitored or external',
      'url: is needed when Berth does not start the server',
    ])
    expect(openAiDriver.check(spec)).toEqual([])
  })

  it.each([
    ['llm.example', 'url: "llm.example" is not an http or https address'],
    ['ftp://llm.example', 'url: "ftp://llm.example" is not an http or https address'],
    ['http://me:key@llm.example', 'url: must not hold a user name or a password'],
  ])('refuses %s', (url, problem) => {
    expect(openAiDriver.check({ ...spec, url })).toEqual([problem])
  })

  it('reads recorded lists of models', () => {
    const read = (name: string, modelId: string) =>
      openAiDriver.readProbe(MODELS, answered(fixture(name)), { ...spec, modelId })
    const llamacpp = '../models/Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf'
    expect(read('llamacpp-v1-models_2025-02.json', llamacpp)).toEqual({
      verdict: 'healthy',
      modelIds: [llamacpp],
    })
    expect(read('v1-models_with-lora_0.7.json', 'lora-1').verdict).toBe('healthy')
    expect(read('v1-models_with-lora_0.7.json', 'lora-3').verdict).toBe('unhealthy')
  })

  it('takes a name with the tag that Ollama adds for the model', () => {
    const response = answered(modelsBody('m1:latest'))
    expect(openAiDriver.readProbe(MODELS, response, spec).verdict).toBe('healthy')
  })
})

describe('a probe', () => {
  it.each([
    ['quick', answered(modelsBody('m1'), 200, 1000), 'healthy'],
    ['slow', answered(modelsBody('m1'), 200, 1001), 'degraded'],
    ['too slow', answered(modelsBody('m1'), 200, 5001), 'unknown'],
    ['500', answered('{}', 500), 'unhealthy'],
    ['503 that says it loads', answered('{"error":{"message":"Loading model"}}', 503), 'loading'],
    ['503 that does not', answered('busy', 503), 'unhealthy'],
    ['a key refused', answered(fixture('error_unauthorized_2025-02.json'), 401), 'unhealthy'],
    ['404', answered('', 404), 'unhealthy'],
    ['something else than JSON', answered('<html>'), 'unhealthy'],
    ['JSON without a list', answered('{"data":7}'), 'unhealthy'],
    ['refused', { kind: 'refused', error: 'ECONNREFUSED' } as const, 'unhealthy'],
    ['no answer', { kind: 'timeout' } as const, 'unknown'],
  ])('%s', (_what, response, verdict) => {
    expect(openAiDriver.readProbe(MODELS, response, spec).verdict).toBe(verdict)
  })
})
