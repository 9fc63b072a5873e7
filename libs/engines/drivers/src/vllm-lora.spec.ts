import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { engineSpec } from './testing/engine-spec.ts'
import { vllmDriver } from './vllm-driver.ts'

const calls = vllmDriver.modelCalls!(engineSpec('vllm', { options: { enable_lora: true } }))!
const sleeps = vllmDriver.sleepCalls!(engineSpec('vllm', { options: { enable_sleep_mode: true } }))!

describe('adapters of a vLLM', () => {
  it('come and go only where that is switched on', () => {
    expect(vllmDriver.modelCalls!(engineSpec('vllm'))).toBeUndefined()
    expect(calls.load('sql', { source: '/models/sql' })).toMatchObject({
      ...{ method: 'POST', path: '/v1/load_lora_adapter' },
      body: '{"lora_name":"sql","lora_path":"/models/sql"}',
    })
    expect(calls.unload('sql')).toMatchObject({
      ...{ method: 'POST', path: '/v1/unload_lora_adapter', body: '{"lora_name":"sql"}' },
    })
  })

  it('are listed with the model they belong to, as recorded of 0.7', () => {
    const url = new URL('../fixtures/v1-models_with-lora_0.7.json', import.meta.url)
    const listed = calls.readResident(readFileSync(url, 'utf8'))!
    expect(listed.map(({ modelId, parentModelId }) => [modelId, parentModelId])).toEqual([
      ['Qwen/Qwen2.5-Coder-1.5B-Instruct', undefined],
      ['lora-1', 'Qwen/Qwen2.5-Coder-1.5B-Instruct'],
      ['lora-2', 'Qwen/Qwen2.5-Coder-1.5B-Instruct'],
    ])
  })

  it('are answered for with a sentence or an error', () => {
    expect(calls.readLine('Success: LoRA adapter sql added successfully', 200)).toEqual({
      kind: 'done',
    })
    const error = (message: string) => JSON.stringify({ error: { message, code: 404 } })
    expect(calls.readLine(error("The lora adapter 'sql' has already been loaded."), 400)).toEqual({
      kind: 'done',
    })
    expect(calls.readLine(error('Loading lora sql failed: No adapter found for /x'), 404)).toEqual({
      kind: 'failed',
      report: expect.objectContaining({ kind: 'model_not_found', isRetriable: false }),
    })
    expect(calls.readLine(error('LoRA rank 64 is greater than max_lora_rank 16.'), 400)).toEqual({
      kind: 'failed',
      report: expect.objectContaining({
        ...{ kind: 'model_invalid', message: expect.stringContaining('max_lora_rank') },
      }),
    })
    expect(calls.readLine('', 200)).toBeUndefined()
  })
})

describe('the sleep of a vLLM', () => {
  it('is of level 1, and only where it is switched on', () => {
    expect(vllmDriver.sleepCalls!(engineSpec('vllm'))).toBeUndefined()
    expect(sleeps.sleep).toMatchObject({ method: 'POST', path: '/sleep?level=1' })
    expect(sleeps.wake).toMatchObject({ method: 'POST', path: '/wake_up' })
  })

  it('is told by /is_sleeping', () => {
    expect(sleeps.readAsleep('{"is_sleeping":true}')).toBe(true)
    expect(sleeps.readAsleep('{"is_sleeping":false}')).toBe(false)
    for (const body of ['', 'null', '{"is_sleeping":"no"}'])
      expect(sleeps.readAsleep(body)).toBeUndefined()
  })
})
