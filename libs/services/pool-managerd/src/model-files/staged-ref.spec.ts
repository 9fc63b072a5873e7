import { describe, expect, it } from '@jest/globals'
import { checkModelRef } from '../pools-file/check-model-ref.ts'
import { poolSchema } from '../pools-file/pool-schema.ts'
import { toPoolSpec } from '../pools-file/to-pool-spec.ts'
import { stagedRefOf } from './staged-ref.ts'

const specOf = (engine: string, model: string | undefined, more: object = {}) =>
  toPoolSpec(poolSchema.parse({ id: 'a', engine, model, ...more }), '/models')

describe('what a pool has fetched before its engine starts', () => {
  it.each([
    ['llamacpp', 'hf:o/n-GGUF:Q4_K_M', 'gguf'],
    ['embedded', 'https://example.org/m.gguf', 'gguf'],
    ['embedded', 'oci:h.example/m:1', 'gguf'],
    ['llamacpp', 'ollama:qwen3', 'gguf'],
    ['vllm', 'hf:o/n@main', 'snapshot'],
  ] as const)('%s with %s: a %s', (engine, ref, want) => {
    expect(stagedRefOf(specOf(engine, ref), false)).toEqual({ ref, want })
  })

  it.each([
    ['a file of this host', 'llamacpp', 'file:m.gguf', {}],
    ['a model that an Ollama pulls', 'ollama', 'ollama:qwen3', {}],
    ['a repository that vLLM fetches', 'vllm', 'o/n', {}],
    ['what a simulator is called', 'sim', 'hf:o/n', {}],
    ['no model', 'vllm', undefined, {}],
    ['a server of others', 'vllm', 'hf:o/n', { mode: 'external', url: 'http://127.0.0.1:1' }],
  ] as const)('not %s', (_what, engine, model, more) => {
    expect(stagedRefOf(specOf(engine, model, more), false)).toBeUndefined()
  })

  it('[002-07a] where nothing may be fetched, what vLLM would fetch has to be in the store', () => {
    expect(stagedRefOf(specOf('vllm', 'o/n'), true)).toEqual({ ref: 'hf:o/n', want: 'snapshot' })
    expect(stagedRefOf(specOf('vllm', 'file:n'), true)).toBeUndefined()
  })
})

describe('references that an engine cannot read', () => {
  it.each([
    ['vllm', 'https://example.org/m.gguf', 'not https:'],
    ['vllm', 'ollama:qwen3', 'not ollama:'],
    ['llamacpp', 'hf:-x/y', 'hf:-x/y'],
    ['embedded', 'https://user:pw@example.org/m.gguf', 'password'],
  ])('%s refuses %s', (engine, ref, part) => {
    expect(checkModelRef(specOf(engine, ref))).toContain(part)
  })

  it.each([
    ['sim', 'hf:-x/y'],
    ['ollama', 'ollama:qwen3'],
    ['vllm', 'o/n'],
    ['vllm', 'file:folder'],
    ['llamacpp', 'file:m.gguf'],
  ])('%s takes %s', (engine, ref) => {
    expect(checkModelRef(specOf(engine, ref))).toBeUndefined()
  })
})
