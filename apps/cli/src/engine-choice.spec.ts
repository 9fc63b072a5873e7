import { describe, expect, it } from '@jest/globals'
import { chooseAsked } from './asked-engine.ts'
import { chooseEngine, type Surroundings } from './engine-choice.ts'

const OLLAMA = { url: 'http://127.0.0.1:11434', version: '0.9.1', models: ['llama3.2:3b', 'phi4'] }
const SERVER = '/usr/bin/llama-server'
const KEPT = '/m/files/a.gguf'

describe('up without a model', () => {
  it.each<[string, Surroundings, object]>([
    [
      'an Ollama that answers and has a model',
      { ollama: OLLAMA, llamaServerPath: SERVER, keptModel: KEPT },
      {
        ...{ engine: 'ollama', model: 'llama3.2:3b', url: OLLAMA.url },
        why: 'Ollama 0.9.1 answers at http://127.0.0.1:11434 and has llama3.2:3b',
      },
    ],
    [
      'llama-server and a model that is kept here',
      { llamaServerPath: SERVER, keptModel: KEPT },
      {
        ...{ engine: 'llamacpp', model: KEPT, program: SERVER },
        why: 'no Ollama answers; /usr/bin/llama-server is there, and /m/files/a.gguf',
      },
    ],
    [
      'the bundled engine where llama-server has nothing to load',
      { llamaServerPath: SERVER },
      { engine: 'embedded', why: 'no Ollama answers and llama-server has no model here' },
    ],
    [
      'the bundled engine where an Ollama is empty',
      { ollama: { ...OLLAMA, models: [] }, ollamaPath: '/usr/bin/ollama' },
      {
        engine: 'embedded',
        why: 'the Ollama at http://127.0.0.1:11434 has no model and no llama-server is on PATH',
      },
    ],
    [
      'the bundled engine where there is nothing',
      {},
      { engine: 'embedded', why: 'no Ollama answers and no llama-server is on PATH' },
    ],
  ])('takes %s', (_, around, wanted) => {
    expect(chooseEngine(undefined, around)).toEqual(wanted)
  })
})

describe('up with a model', () => {
  const both = { llamaServerPath: SERVER, vllmPath: '/usr/bin/vllm' }
  it.each<[string, Surroundings, object]>([
    ['models/a.gguf', both, { engine: 'llamacpp', program: SERVER }],
    ['models/a.gguf', {}, { engine: 'embedded' }],
    ['file:a.gguf', {}, { engine: 'embedded' }],
    ['https://example.org/a.gguf', {}, { engine: 'embedded' }],
    ['oci:registry.example.org/models/a:1', both, { engine: 'llamacpp' }],
    ['hf:org/name-GGUF', both, { engine: 'llamacpp' }],
    ['hf:org/name:Q4_K_M', {}, { engine: 'embedded' }],
    ['hf:org/name:IQ2_XS', {}, { engine: 'embedded' }],
    ['hf:org/name@main:sub/file.gguf', both, { engine: 'llamacpp' }],
    ['hf:Qwen/Qwen3-8B', both, { engine: 'vllm', program: '/usr/bin/vllm' }],
    ['hf:Qwen/Qwen3-8B', { llamaServerPath: SERVER }, { exit: 'missingDependency' }],
    ['ollama:phi4', { ...both, ollama: OLLAMA }, { engine: 'ollama', url: OLLAMA.url }],
    ['ollama:phi4', { ollamaPath: '/usr/bin/ollama' }, { program: '/usr/bin/ollama' }],
    ['ollama:phi4', both, { engine: 'llamacpp', model: 'ollama:phi4' }],
    ['ollama:phi4', {}, { engine: 'embedded', model: 'ollama:phi4' }],
  ])('%s, where there is %j', (model, around, wanted) => {
    expect(chooseEngine(model, around)).toMatchObject(wanted)
  })

  it('says what to do about safetensors where there is no vLLM', () => {
    expect(chooseEngine('hf:Qwen/Qwen3-8B', {})).toEqual({
      exit: 'missingDependency',
      problem:
        'hf:Qwen/Qwen3-8B names no GGUF file: of the engines Berth runs, vLLM reads what it ' +
        'holds, and no vllm is on PATH.',
      next:
        'Install vLLM on this host, or name a GGUF repository or file: --model ' +
        'hf:ORG/NAME-GGUF:Q4_K_M',
    })
  })
})

describe('up with an engine', () => {
  const around = { ollama: OLLAMA, llamaServerPath: SERVER, vllmPath: '/v', keptModel: KEPT }
  it.each<[object, Surroundings, object]>([
    [{ engine: 'embedded' }, around, { engine: 'embedded' }],
    [{ engine: 'llamacpp' }, around, { model: KEPT, program: SERVER }],
    [{ engine: 'llamacpp', model: 'a' }, {}, { exit: 'missingDependency' }],
    [
      { engine: 'llamacpp', model: 'a', engineUrl: 'http://h' },
      {},
      { model: 'a', url: 'http://h' },
    ],
    [{ engine: 'vllm', model: 'hf:o/n' }, around, { model: 'hf:o/n', program: '/v' }],
    [{ engine: 'vllm' }, around, { exit: 'usage' }],
    [{ engine: 'vllm', engineUrl: 'http://h' }, around, { exit: 'usage' }],
    [{ engine: 'vllm', model: 'hf:o/n' }, {}, { exit: 'missingDependency' }],
    [{ engine: 'ollama' }, around, { model: 'llama3.2:3b', url: OLLAMA.url }],
    [{ engine: 'ollama', model: 'm', engineUrl: 'http://h' }, {}, { model: 'm', url: 'http://h' }],
    [{ engine: 'ollama', model: 'm' }, {}, { exit: 'missingDependency' }],
    [{ engine: 'ollama' }, { ollamaPath: '/o' }, { exit: 'usage' }],
    [{ engine: 'abacus' }, around, { exit: 'usage' }],
  ])('%j, where there is %j', (choice, found, wanted) => {
    expect(chooseAsked(choice, found)).toMatchObject(wanted)
  })
})
