import { expect, it } from '@jest/globals'
import { readModelSource } from './model-source.ts'

it.each([
  ['file:/m/tiny.gguf', 'sim', { modelId: 'tiny', path: '/m/tiny.gguf' }],
  ['file:///m/tiny.gguf', 'sim', { modelId: 'tiny', path: '/m/tiny.gguf' }],
  ['sub/tiny.gguf', 'embedded', { modelId: 'tiny', path: '/root/sub/tiny.gguf' }],
  ['tiny', 'sim', { modelId: 'tiny' }],
  ['hf:Qwen/Qwen3-8B@abc', 'sim', { modelId: 'Qwen/Qwen3-8B' }],
  ['ollama:llama3.2:1b', 'openai', { modelId: 'llama3.2:1b' }],
] as const)('%s of %s', (model, engine, source) => {
  expect(readModelSource(model, engine, '/root')).toEqual(source)
})
