import { describe, expect, it } from '@jest/globals'
import type { LogSign } from '@berth/supervision'
import fc from 'fast-check'
import { llamacppDriver } from './llamacpp-driver.ts'
import { readLlamacppLog } from './llamacpp-log.ts'
import { readFixture } from './testing/read-fixture.ts'

const MIB = 1_048_576
const signsOf = (text: string): readonly LogSign[] =>
  text.split('\n').flatMap((line) => {
    const sign = readLlamacppLog(line)
    return sign === undefined ? [] : [sign]
  })

describe('the log of llama-server', () => {
  it('tells the phases of a start, as one was recorded', () => {
    expect(signsOf(readFixture('llamacpp/startup_short_2026.log'))).toEqual([
      { kind: 'phase', phase: 'load' },
      { kind: 'phase', phase: 'warm' },
      { kind: 'phase', phase: 'warm', percent: 100 },
    ])
  })

  it('tells the phases of older builds too', () => {
    const lines = [
      "srv    load_model: loading model '/models/m.gguf'",
      'load_tensors: loading model tensors, this can take a while... (mmap = true)',
      'common_init_from_params: warming up the model with an empty run - please wait ...',
      'srv    load_model: initializing slots, n_slots = 1',
      'main: model loaded',
      'main: server is listening on http://127.0.0.1:8000',
    ]
    expect(signsOf(lines.join('\n'))).toMatchObject([
      ...[{ phase: 'load' }, { phase: 'load' }],
      ...[{ phase: 'warm' }, { phase: 'warm' }, { phase: 'warm', percent: 100 }],
    ])
  })

  it('tells what each device holds, and the room of the cache', () => {
    const lines = [
      'load_tensors:   CPU_Mapped model buffer size =   515.25 MiB',
      'load_tensors:        CUDA2 model buffer size = 17931.50 MiB',
      '0.01.9 I llama_context:  CUDA_Host  output buffer size =     3.50 MiB',
      'llama_context: n_ctx         = 65536',
      'llama_kv_cache:      CUDA2 KV buffer size =   320.00 MiB',
      'llama_memory_recurrent:      CUDA2 RS buffer size =   134.00 MiB',
      'sched_reserve:      ROCm0 compute buffer size =   372.00 MiB',
      'llama_adapter_lora_init:      CUDA2 LoRA buffer size =     8.00 MiB',
    ]
    const memory = (device: string, use: string, mib: number) => ({
      ...{ kind: 'memory', device, use, bytes: mib * MIB },
    })
    expect(signsOf(lines.join('\n'))).toEqual([
      memory('CPU_Mapped', 'weights', 515.25),
      memory('CUDA2', 'weights', 17_931.5),
      memory('CUDA_Host', 'output', 3.5),
      { kind: 'kv_room', tokens: 65_536 },
      memory('CUDA2', 'kv', 320),
      memory('CUDA2', 'recurrent', 134),
      memory('ROCm0', 'compute', 372),
      memory('CUDA2', 'weights', 8),
    ])
  })

  it.each([
    'warning: no usable GPU found, --gpu-layers option will be ignored',
    'warning: llama.cpp was compiled without support for GPU offload. Setting a tensor split has no effect.',
    'ggml_cuda_init: failed to initialize CUDA: no CUDA-capable device is detected',
    'load_tensors: offloaded 0/33 layers to GPU',
  ])('tells that it goes on without the GPU: %s', (line) => {
    expect(readLlamacppLog(line)).toEqual({ kind: 'gpu_missing', fact: line })
  })

  it.each([
    ...['load_tensors: offloaded 33/33 layers to GPU', 'slot launch_slot_: id 0', '', '....'],
    'llama_context: n_ctx_seq     = 65536',
    'llama_context: n_ctx_seq (65536) < n_ctx_train (262144)',
    'alloc_compute_meta:      CUDA0 buffer size = 12 MiB',
  ])('tells nothing else by other lines: %s', (line) => {
    expect(readLlamacppLog(line)).toBeUndefined()
  })

  it('is read whatever stands in it, and no reading is longer than its line', () => {
    const pieces = fc.constantFrom(
      ...['CUDA0 model buffer size = ', '9'.repeat(400), ' '.repeat(900), 'offloaded 0/', ' MiB'],
      ...[
        'llama_context: n_ctx',
        ' = ',
        "load_model: loading model '",
        '\u0000',
        '\ud800',
        '\u001b[0m',
      ],
    )
    const line = fc
      .array(fc.oneof(pieces, fc.string({ unit: 'binary' })), { maxLength: 12 })
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(line, (text) => {
        const sign = readLlamacppLog(text)
        if (sign?.kind === 'memory') expect(Number.isFinite(sign.bytes)).toBe(true)
        expect(llamacppDriver.classify([text], { code: 1, signal: null }).message).not.toBe('')
      }),
      { numRuns: 2_000 },
    )
  })
})
