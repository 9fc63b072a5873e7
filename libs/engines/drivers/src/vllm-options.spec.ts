import { describe, expect, it } from '@jest/globals'
import type { EngineOptions } from '@berth/supervision'
import { engineSpec } from './testing/engine-spec.ts'
import { vllmDriver } from './vllm-driver.ts'
import { checkRepositoryId } from './vllm-model-id.ts'

const check = (options: EngineOptions, modelRef = 'hf:a/b') =>
  vllmDriver.check(engineSpec('vllm', { options, modelRef }))

describe('the options of a vllm pool [003-TC-05]', () => {
  it('are all checked at once, each named [003-UT-008, 001-OPT-15]', () => {
    const problems = check(
      {
        ...{ tensor_parallel_size: 0, gpu_memory_utilization: 1.2, dtype: 'int3', nope: 1 },
        ...{ seed: -1, trust_remote_code: 'yes', quantization: '--api-key', max_lora_rank: 9 },
      },
      'hf:a/--help',
    )
    expect(problems.map((problem) => problem.slice(0, problem.indexOf(':')))).toEqual([
      ...['model', 'engine_options.tensor_parallel_size', 'engine_options.gpu_memory_utilization'],
      ...['engine_options.dtype', 'engine_options.nope', 'engine_options.seed'],
      ...['engine_options.trust_remote_code', 'engine_options.quantization'],
      ...['engine_options.max_lora_rank', 'engine_options.max_lora_rank'],
    ])
  })

  it.each([0, -0.1, 1.001, '0.5', true])(
    '[003-FR-042, 003-AC-027] take no share of %j of a GPU',
    (share) => {
      expect(check({ gpu_memory_utilization: share })).toEqual([
        'engine_options.gpu_memory_utilization: has to be above 0 and at most 1',
      ])
    },
  )

  it.each([0.01, 0.9, 1])('[003-AC-027] take a share of %j', (share) => {
    expect(check({ gpu_memory_utilization: share })).toEqual([])
  })

  it('[001-OPT-14] let tensor parallelism be 1 and more', () => {
    expect(check({ tensor_parallel_size: 1 })).toEqual([])
    expect(check({ tensor_parallel_size: 8, pipeline_parallel_size: 2 })).toEqual([])
    expect(check({ tensor_parallel_size: 1.5 })).toHaveLength(1)
  })

  it.each([
    [{}, ['nvidia'], 0],
    [{}, ['nvidia', 'nvidia'], 0],
    [{ tensor_parallel_size: 2 }, ['nvidia', 'nvidia'], 0],
    [{ tensor_parallel_size: 2 }, ['nvidia'], 1],
    [{ tensor_parallel_size: 2, pipeline_parallel_size: 2 }, ['amd', 'amd', 'amd'], 1],
    [{ tensor_parallel_size: 2 }, ['nvidia', 'nvidia', 'nvidia'], 1],
    [{}, ['cpu'], 0],
    [{ tensor_parallel_size: 2 }, ['cpu'], 1],
  ])('%j on %j: %i problems', (options, kinds, count) => {
    const problems = vllmDriver.checkDevices!(engineSpec('vllm', { options }), kinds)
    expect(problems).toHaveLength(count)
  })
})

describe('the id of a model [003-UT-007, 003-FR-026, 001-LDR-1, 003-TC-09]', () => {
  it.each([
    ...['Qwen/Qwen3-8B', 'meta-llama/Llama-3.1-8B-Instruct', 'gpt2', 'a.b/c_d-e.f', '01-ai/Yi-6B'],
    ...['x/' + 'n'.repeat(96), '_org/_name'],
  ])('%s is one', (id) => {
    expect(checkRepositoryId(id)).toBeUndefined()
  })

  it.each([
    ...['', '/', 'a/', '/b', 'a/b/c', 'a//b', '--help', '-a/b', 'a/-b', 'a/b-', 'a/b.', '.a/b'],
    ...['a--b/c', 'a/b..c', '../etc', 'a/b.git', 'a b/c', 'a/b\n', 'a/b;rm', 'a/b?x', 'é/b'],
    ...['x/' + 'n'.repeat(97), 'a\\b', 'a/b@c', 'http://a/b'],
  ])('%j is none', (id) => {
    expect(checkRepositoryId(id)).toEqual(expect.any(String))
  })

  it.each([
    ['hf:a/b@main', 0],
    ['a/b', 0],
    ['hf:a/b@refs/pr/7', 0],
    ['file:/models/a', 0],
    ['hf:a/b@--x', 1],
    ['hf:a/b@', 1],
    ['hf:--api-key/x@-y', 2],
    ['ollama:llama3', 1],
    ['https://host/model.gguf', 1],
    ['http://host/model.gguf', 1],
    ['oci:host/model:v1', 1],
  ])('%s as `model` has %i problems, with help [003-AC-008]', (modelRef, count) => {
    const problems = check({}, modelRef)
    expect(problems).toHaveLength(count)
    expect(problems.every((problem) => problem.startsWith('model: '))).toBe(true)
  })
})
