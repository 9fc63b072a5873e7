import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import type { LogSign } from '@berth/supervision'
import { vllmDriver } from './vllm-driver.ts'

const GIB = 1_073_741_824
const read = (line: string) => vllmDriver.readLog!(line)
const signsOf = (name: string): readonly LogSign[] =>
  readFileSync(new URL(`../fixtures/vllm/${name}`, import.meta.url), 'utf8')
    .split('\n')
    .flatMap((line) => read(line) ?? [])
/** Phases in their order, each with the last that was told of it. */
const phasesOf = (signs: readonly LogSign[]) =>
  signs
    .flatMap((sign) => (sign.kind === 'phase' ? [sign] : []))
    .reduce<(readonly [string, number | undefined])[]>(
      (told, { phase, percent }) =>
        told.at(-1)?.[0] === phase
          ? [...told.slice(0, -1), [phase, percent ?? told.at(-1)?.[1]]]
          : [...told, [phase, percent]],
      [],
    )
const gib = (bytes: number) => Number((bytes / GIB).toFixed(2))
const memoryOf = (signs: readonly LogSign[]) =>
  signs.flatMap((sign) =>
    sign.kind === 'memory' ? [[sign.use, sign.device, gib(sign.bytes)]] : [],
  )

describe('the log of a vLLM that starts [003-FR-015, 001-MLP-5]', () => {
  it('0.6.4: weights of each worker, blocks, graphs', () => {
    const signs = signsOf('startup_0.6.4.post1.log')
    expect(phasesOf(signs)).toEqual([
      ['load', 100],
      ['warm', 100],
    ])
    expect(memoryOf(signs)).toEqual([
      ['weights', '', 7.51],
      ['weights', 'pid 1825469', 7.51],
      ['kv', 'pid 1825469', 31.68],
      ['kv', '', 30.55],
      ['compute', 'pid 1825469', 0.23],
      ['compute', '', 0.23],
    ])
    expect(signs).toContainEqual({ kind: 'kv_room', tokens: 31_284 * 16 })
  })

  it('0.9.0: weights and room', () => {
    const signs = signsOf('startup_0.9.0.1.log')
    expect(phasesOf(signs)).toEqual([
      ['load', 100],
      ['warm', 100],
    ])
    expect(memoryOf(signs)).toEqual([['weights', '', 2.32]])
    expect(signs).toContainEqual({ kind: 'kv_room', tokens: 1_028_832 })
  })

  it('0.25.1: weights, compilation, graphs, warm-up', () => {
    const signs = signsOf('startup_gb10_0.25.1.log')
    expect(phasesOf(signs)).toEqual([
      ['load', 100],
      ['compile', undefined],
      ['warm', 100],
    ])
    expect(memoryOf(signs)).toEqual([
      ['weights', '', 16.63],
      ['kv', '', 83.89],
      ['compute', '', 0.38],
    ])
    expect(signs).toContainEqual({ kind: 'kv_room', tokens: 3_875_400 })
  })

  it('0.25.1 that ends in its cache: a download came before, and 95 GiB were loaded', () => {
    const signs = signsOf('error_kv-cache-needed-larger_gb10_0.25.1.log')
    expect(memoryOf(signs)).toEqual([
      ['weights', '', 95.46],
      ['kv', '', 8.72],
    ])
    expect(signs).toContainEqual({ kind: 'phase', phase: 'load', percent: 58 })
  })
})

describe('a line of vLLM', () => {
  const phase = (name: string, percent?: number) => ({
    ...{ kind: 'phase', phase: name },
    ...(percent === undefined ? {} : { percent }),
  })
  // Written after recordings of these versions, whose projects state no licence.
  it.each([
    // A bar that is drawn over and over, in colours.
    [
      '\rCapturing CUDA graphs (PIECEWISE):   0%|   | 0/51\rCapturing CUDA graphs (PIECEWISE):  53%|## | 27/51',
      phase('warm', 53),
    ],
    [
      '\u001b[1;36m(EngineCore_DP0 pid=7)\u001b[0;0m \rLoading safetensors checkpoint shards:  33% Completed | 1/3 [00:02<00:05]\n',
      phase('load', 33),
    ],
    [
      '(Worker_TP1 pid=7) INFO Loading pt checkpoint shards: 100% Completed | 2/2',
      phase('load', 100),
    ],
    ['Fetching 11 files:  45%|####5     | 5/11 [00:10<00:12]', phase('download', 45)],
    [
      'model-00001-of-00004.safetensors:   2%|▏ | 94.4M/4.98G [00:02<01:53, 43.1MB/s]',
      phase('download'),
    ],
    ['INFO [x.py:1] Time spent downloading weights for a/b: 154.98 seconds', phase('load', 0)],
    ['INFO [backends.py:1] Dynamo bytecode transform time: 8.64 s', phase('compile')],
    ['INFO [monitor.py:34] torch.compile takes 13.92 s in total', phase('compile')],
    ['INFO [base.py:2] Multi-modal warmup completed in 46.002s', phase('warm')],
    [
      '(Worker_TP3 pid=9) INFO [x.py:1] Model loading took 15.4115 GiB memory and 15.3 seconds',
      { kind: 'memory', device: 'CUDA3', use: 'weights', bytes: 16_547_972_121 },
    ],
    [
      '(VllmWorker rank=1 pid=9) INFO [x.py:1] Available KV cache memory: 52.58 GiB',
      { kind: 'memory', device: 'CUDA1', use: 'kv', bytes: 56_457_345_106 },
    ],
    ['INFO [x.py:1] Available KV cache memory: -0.17 GiB', undefined],
    [
      'INFO [executor.py:1] # cuda blocks: 100, # CPU blocks: 2048',
      { kind: 'kv_room', tokens: 1_600 },
    ],
    [
      'INFO 08-01 [__init__.py:216] Automatically detected platform cpu.',
      {
        kind: 'gpu_missing',
        fact: 'INFO 08-01 [__init__.py:216] Automatically detected platform cpu.',
      },
    ],
    ['INFO:     127.0.0.1:59054 - "GET /v1/models HTTP/1.1" 200 OK', undefined],
    ['INFO 08-01 No platform detected, vLLM is running on UnspecifiedPlatform', undefined],
    ['', undefined],
  ])('%j', (line, sign) => {
    expect(read(line)).toEqual(sign)
  })
})
