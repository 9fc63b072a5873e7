import { describe, expect, it } from '@jest/globals'
import type { CrashReport } from '@berth/supervision'
import { classifyLlamacpp } from './llamacpp-crash.ts'
import { readFixture } from './testing/read-fixture.ts'

const FAILED = { code: 1, signal: null }
const DONE = 'srv llama_server: exiting due to model loading error'
const reportOf = (...lines: readonly string[]) => classifyLlamacpp([...lines, DONE], FAILED)

describe('the end of llama-server', () => {
  it.each<readonly [CrashReport['kind'], boolean, string]>([
    [
      'model_not_found',
      false,
      "gguf_init_from_file: failed to open GGUF file '/models/m.gguf' (No such file or directory)",
    ],
    ['model_invalid', false, "gguf_init_from_file_impl: invalid magic characters: 'abcd'"],
    ['model_invalid', false, 'gguf_init_from_file_impl: failed to read magic'],
    [
      'model_invalid',
      false,
      "llama_model_load: error loading model: tensor 'blk.1.x' data is not within the file bounds, model is corrupted or incomplete",
    ],
    [
      'model_invalid',
      false,
      "llama_model_load: error loading model: unknown model architecture: 'new'",
    ],
    [
      'port_in_use',
      true,
      "start: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 8080",
    ],
    ['bad_option', false, 'error: invalid argument: --nope'],
    ['bad_option', false, 'error while handling argument "--pooling": invalid value'],
    ['bad_option', false, 'llama_init_from_model: quantized V cache requires flash_attn to be on'],
    [
      'bad_option',
      false,
      'llama_init_from_model: K cache type q8_0 with block size 32 does not divide n_embd_head_k=16',
    ],
    ['device_error', false, 'error while handling argument "-dev": invalid device: CUDA0'],
    [
      'out_of_vram',
      true,
      'ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9 MiB on device 0: cudaMalloc failed: out of memory',
    ],
    ['out_of_vram', true, 'llama_model_load: error loading model: unable to allocate CUDA0 buffer'],
    [
      'out_of_memory',
      true,
      'llama_model_load: error loading model: unable to allocate CPU_REPACK buffer',
    ],
    ['out_of_memory', true, 'ggml_backend_cpu: failed to allocate CPU buffer of size 10'],
    ['device_error', true, 'CUDA error: an illegal memory access was encountered'],
    [
      'device_error',
      true,
      'Callback: Queue 0x7c aborting with error : HSA_STATUS_ERROR_EXCEPTION: An HSAIL operation',
    ],
    ['device_error', true, 'ggml-cuda.cu:97: ROCm error'],
    ['device_error', true, 'GGML_ASSERT(n > 0) failed'],
  ])('is %s (worth another try: %s): %s', (kind, isRetriable, line) => {
    expect(reportOf(line)).toMatchObject({ kind, isRetriable })
    expect(reportOf(line).message).toContain(line.slice(0, 60))
  })

  it('advises an update where it does not know the flags of the plan', () => {
    expect(reportOf('error: invalid argument: -fit').message).toMatch(/older .*Update llama\.cpp/)
    expect(reportOf('error: invalid argument: -fitx').message).toContain('engine_options')
  })

  it('is not what it got over before it served', () => {
    const recovered = [
      'alloc: allocating 4657.81 MiB on device 0: cudaMalloc failed: out of memory',
      'ggml_gallocr_reserve_n_impl: failed to allocate CUDA0 buffer of size 4884066560',
      'main: model loaded',
      'main: server is listening on http://127.0.0.1:8000',
      'srv  update_slots: all slots are idle',
    ]
    expect(classifyLlamacpp(recovered, { code: null, signal: 'SIGKILL' }).kind).toBe('signal')
    expect(classifyLlamacpp(recovered, FAILED).kind).toBe('exit')
    const later = [...recovered, 'CUDA error: out of memory']
    expect(classifyLlamacpp(later, FAILED).kind).toBe('out_of_vram')
  })

  it('is a stop where it was told to and says so', () => {
    const lines = readFixture('llamacpp/startup_short_2026.log').split('\n')
    expect(classifyLlamacpp(lines, { code: 0, signal: null }).kind).toBe('stopped')
  })
})
