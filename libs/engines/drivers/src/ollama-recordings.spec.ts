import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import type { LogSign } from '@berth/supervision'
import { ollamaDriver } from './ollama-driver.ts'
import { engineSpec } from './testing/engine-spec.ts'

const FIXTURES = new URL('../fixtures/ollama/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, FIXTURES), 'utf8')
const lines = (name: string) => read(name).split('\n')
const calls = ollamaDriver.modelCalls!(engineSpec('ollama'))!
const signsOf = (name: string): LogSign[] =>
  lines(name).flatMap((line) => ollamaDriver.readLog!(line) ?? [])

/** The Python client prints dictionaries: the recorded ones have no quotes in them. */
const framesOf = (name: string) =>
  lines(name)
    .filter((line) => line.startsWith('INFO:root:{'))
    .map((line) => line.slice('INFO:root:'.length).replaceAll("'", '"'))

describe('what Ollama was recorded to answer', () => {
  it('/api/ps: what is in memory, how much of it on GPUs, and until when', () => {
    expect(calls.readResident(read('api-ps_mistral.json'))).toEqual([
      {
        modelId: 'mistral',
        memoryBytes: 5_137_025_024,
        gpuBytes: 5_137_025_024,
        expiresAtMs: Date.UTC(2024, 5, 4, 21, 38, 31, 837),
        digest: 'sha256:2ae6f6dd7a3dd734790bbbf58b8909a606e0e7e97e94b7604e0aa7ae4490e6d8',
        quantization: 'Q4_0',
      },
    ])
  })

  it('/api/ps: a model on CPU and GPU, as the description of the API has it', () => {
    // docs/openapi.yaml of Ollama, written there as YAML: numbers of "gemma4".
    const body = JSON.stringify({
      models: [
        {
          ...{ name: 'gemma4', size: 6_591_830_464, size_vram: 5_333_539_264 },
          ...{ context_length: 4096, expires_at: '2025-10-17T16:47:07.93355-07:00' },
        },
      ],
    })
    expect(calls.readResident(body)).toMatchObject([
      { memoryBytes: 6_591_830_464, gpuBytes: 5_333_539_264, contextLength: 4096 },
    ])
  })

  it('/api/ps: a model that stays has no end', () => {
    const body = '{"models":[{"name":"a:1b","expires_at":"2318-01-01T00:00:00.000Z"}]}'
    expect(calls.readResident(body)).toEqual([{ modelId: 'a:1b' }])
  })

  it('/api/tags: what is on disk', () => {
    expect(calls.readOnDisk!(read('api-tags.json'))).toEqual([
      {
        modelId: 'deepseek-r1',
        digest: 'sha256:0a8c266910232fd3291e71e5ba1e058cc5af9d411192cf88b6d30e92b6e73163',
        quantization: 'Q4_K_M',
      },
      {
        modelId: 'llama3.2',
        digest: 'sha256:a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72',
        quantization: 'Q4_K_M',
      },
    ])
  })

  it('a pull: every frame is progress of its layer, the last is its end', () => {
    const signs = framesOf('api-pull_mixtral_python-client.log').map((frame) =>
      calls.readLine(frame, 200),
    )
    const progress = signs.filter((sign) => sign?.kind === 'progress')
    expect(progress).toHaveLength(signs.length - 1)
    expect(signs.at(-1)).toEqual({ kind: 'done' })
    const totals = new Map(progress.map((sign) => [sign.part, sign.bytesTotal]))
    const big = 'sha256:f2dc41fa964b42bfe34e9fb09c0acdcfbfd6e52f1332930b4eacc9d6ad1c6cd2'
    expect(totals.get(big)).toBe(26_443_590_560)
    const ofBig = progress.filter(({ part }) => part === big).map(({ bytesDone }) => bytesDone)
    expect(ofBig[0]).toBe(0)
    expect(ofBig).toContain(719_344)
  })

  it('an unload: its one answer is its end', () => {
    const body = read('api-generate_unload.json').replaceAll('\n', '')
    expect(calls.readLine(body, 200)).toEqual({ kind: 'done' })
  })

  it('an error after a 200 is a failure', () => {
    const signs = lines('error_mid-stream.ndjson').flatMap(
      (line) => calls.readLine(line, 200) ?? [],
    )
    expect(signs).toMatchObject([
      {
        kind: 'failed',
        report: {
          message: 'Ollama says: "an error was encountered while running the model".',
          isRetriable: true,
        },
      },
    ])
  })
})

describe('what Ollama was recorded to log', () => {
  it('an old runner: the memory it takes, by device and use', () => {
    const signs = signsOf('serve_jetson-orin-64gb_mixtral.log')
    expect(signs).toContainEqual({
      ...{ kind: 'memory', device: 'CUDA0', use: 'weights' },
      bytes: Math.round(25_147.55 * 1024 ** 2),
    })
    const kv = { kind: 'memory', device: 'CUDA0', use: 'kv', bytes: 1024 ** 3 } as const
    expect(signs).toContainEqual(kv)
    expect(signs).toContainEqual({ kind: 'phase', phase: 'load' })
    expect(signs.filter(({ kind }) => kind === 'gpu_missing')).toEqual([])
  })

  it('a newer runner, in lines written as it writes them', () => {
    // The lines of a run of 0.13.5, whose log has no licence: its form with numbers of our own.
    const told = [
      'load_tensors:        CUDA0 model buffer size =  2048.50 MiB',
      'llama_kv_cache:      CUDA0 KV buffer size =   256.00 MiB',
      'llama_context:  CUDA_Host  output buffer size =     0.25 MiB',
    ].map((line) => ollamaDriver.readLog!(line))
    expect(told).toEqual([
      { kind: 'memory', device: 'CUDA0', use: 'weights', bytes: 2048.5 * 1024 ** 2 },
      { kind: 'memory', device: 'CUDA0', use: 'kv', bytes: 256 * 1024 ** 2 },
      { kind: 'memory', device: 'CUDA_Host', use: 'output', bytes: 0.25 * 1024 ** 2 },
    ])
  })

  it('a daemon without a GPU says so, those with one do not', () => {
    const line =
      'time=2026-01-01T00:00:00.000Z level=INFO source=types.go:60 msg="inference compute" ' +
      'id=cpu library=cpu compute="" name=cpu description=cpu total="23.4 GiB"'
    expect(ollamaDriver.readLog!(line)?.kind).toBe('gpu_missing')
    const signs = ['serve_rtx4080-laptop_0.12.10.log', 'serve_rocm-windows_rx9070xt_0.30.0.log']
    expect(signs.flatMap(signsOf)).toEqual([])
  })

  it('a taken port', () => {
    const report = ollamaDriver.classify(lines('error_port-in-use_loopback.txt'), {
      code: 1,
      signal: null,
    })
    expect(report.kind).toBe('port_in_use')
  })

  it('a model that failed is not why its daemon ended later', () => {
    const log = [
      'ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed: out of memory',
      'time=2026-01-01T00:00:00.000Z level=ERROR source=sched.go:470 msg="error loading llama server"',
    ]
    const killed = ollamaDriver.classify(log, { code: null, signal: 'SIGKILL' })
    expect(killed.kind).toBe('signal')
  })
})

describe('an error of its API', () => {
  const kindOf = (error: string, status = 500) => {
    const sign = calls.readLine(JSON.stringify({ error }), status)
    return sign?.kind === 'failed' ? [sign.report.kind, sign.report.isRetriable] : undefined
  }
  it.each([
    ["model 'x' not found", 404, ['model_not_found', false]],
    ['pull model manifest: file does not exist', 200, ['model_not_found', false]],
    [
      'llama-server process has terminated: cudaMalloc failed: out of memory',
      500,
      ['out_of_vram', true],
    ],
    ['model requires more system memory (9 GiB) than is available', 500, ['out_of_memory', true]],
    [
      'model runner has unexpectedly stopped, this may be due to resource limitations',
      500,
      ['exit', true],
    ],
    ['server busy, please try again.  maximum pending requests exceeded', 503, ['exit', true]],
    ['pull model manifest: 412: requires a newer version of ollama', 200, ['bad_option', false]],
    ['unable to load model: /blobs/sha256-1', 500, ['model_invalid', false]],
    ['out of memory, retrying without pipeline parallelism', 500, ['exit', true]],
  ])('%s', (error, status, expected) => {
    expect(kindOf(error, status)).toEqual(expected)
  })

  it('also without JSON, by its status', () => {
    expect(calls.readLine('404 page not found', 404)).toMatchObject({
      report: { kind: 'model_not_found' },
    })
  })
})

describe('[000-FR-006][000-FR-007][000-T025][000-T054] the calls', () => {
  it('pull to disk, load without a prompt, unload by keep_alive 0 and nothing else', () => {
    const bodyOf = ({ path, body }: { path: string; body: string }) => [path, JSON.parse(body)]
    expect(bodyOf(calls.pull!('a/b:1'))).toEqual(['/api/pull', { model: 'a/b:1', stream: true }])
    const load = { model: 'a', stream: false, keep_alive: -1 }
    expect(bodyOf(calls.load('a', {}))).toEqual(['/api/generate', load])
    expect(bodyOf(calls.load('a', { ttlMs: 90_000 }))).toEqual([
      '/api/generate',
      { ...load, keep_alive: 90 },
    ])
    expect(bodyOf(calls.unload('a'))).toEqual(['/api/generate', { ...load, keep_alive: 0 }])
  })
})

describe('the name of a model', () => {
  it.each([
    ['llama3.2', 'llama3.2:latest'],
    ['llama3.2', 'registry.ollama.ai/library/llama3.2'],
    ['Qwen3:8B', 'library/qwen3:8b'],
    ['hf.co/Owner/Name:Q4_K_M', 'hf.co/owner/name:Q4_K_M'],
    ['localhost:5000/me/m', 'localhost:5000/me/m:latest'],
  ])('%s and %s are one model', (one, other) => {
    expect(calls.nameOf!(one)).toBe(calls.nameOf!(other))
  })

  it.each([
    ['llama3.2', 'llama3.2:3b'],
    ['me/m', 'm'],
    ['localhost:5000/me/m', 'localhost:5001/me/m'],
  ])('%s and %s are two', (one, other) => {
    expect(calls.nameOf!(one)).not.toBe(calls.nameOf!(other))
  })

  it.each(['--help', '../x', 'a/b/c/d', 'a:b:c', 'a b', '', 'x:', '/a', 'https://x/y/z'])(
    '%j is refused',
    (modelId) => {
      expect(ollamaDriver.check(engineSpec('ollama', { modelId }))).toHaveLength(1)
    },
  )
})
