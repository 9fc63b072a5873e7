import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { readEngineMetrics, readSamples } from './prometheus-text.ts'

const fixture = (name: string): string =>
  readFileSync(new URL(`../fixtures/${name}`, import.meta.url), 'utf8')

describe('engine metrics', () => {
  it('are read from a recorded vLLM 0.11', () => {
    expect(readEngineMetrics(fixture('metrics_v1_qwen1.5-0.5b-chat_idle_0.11.txt'))).toEqual({
      running: 0,
      waiting: 0,
      promptTokensTotal: 0,
      generatedTokensTotal: 0,
      kvUsageRatio: 0,
    })
  })

  it('are read from a recorded vLLM 0.7, which names the KV gauge otherwise', () => {
    const metrics = readEngineMetrics(fixture('metrics_v0_qwen2.5-coder-1.5b_0.7.txt'))
    expect(metrics).toMatchObject({ running: 0, waiting: 0, kvUsageRatio: 0 })
  })

  it('are summed over the engines of one server, the fullest KV cache counts', () => {
    const text = [
      'vllm:num_requests_running{engine="0",model_name="a \\"} b"} 2.0',
      'vllm:num_requests_running{engine="1",model_name="a"} 3.0',
      'vllm:kv_cache_usage_perc{engine="0"} 0.25',
      'vllm:kv_cache_usage_perc{engine="1"} 0.75',
    ].join('\n')
    expect(readEngineMetrics(text)).toEqual({ running: 5, kvUsageRatio: 0.75 })
  })

  it('are read from llama-server, which has no KV gauge', () => {
    const text = [
      '# TYPE llamacpp:requests_processing gauge',
      'llamacpp:requests_processing 1',
      'llamacpp:requests_deferred 4',
      'llamacpp:prompt_tokens_total 12',
      'llamacpp:tokens_predicted_total 1.5e+03',
    ].join('\n')
    expect(readEngineMetrics(text)).toEqual({
      running: 1,
      waiting: 4,
      promptTokensTotal: 12,
      generatedTokensTotal: 1500,
    })
  })

  it('are read from as many samples as an answer can hold', () => {
    const many = (name: string) => `${name} 0.5\n`.repeat(200_000)
    expect(readEngineMetrics(many('vllm:kv_cache_usage_perc'))).toEqual({ kvUsageRatio: 0.5 })
  })

  it('are absent where the text has none, whatever it is', () => {
    expect(readEngineMetrics('<html>no</html>\nvllm:num_requests_running NaN')).toEqual({})
    fc.assert(fc.property(fc.string(), (text) => readSamples(text).size >= 0))
  })
})
