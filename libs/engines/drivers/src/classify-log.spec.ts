import { describe, expect, it } from '@jest/globals'
import { classifyLog } from './classify-log.ts'
import { driverOf, drivers } from './drivers.ts'

const failed = { code: 1, signal: null }

describe('an engine that ended', () => {
  it.each([
    [
      'out_of_vram',
      true,
      [
        'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 270.00 MiB.',
        'RuntimeError: Engine core initialization failed. See root cause above.',
      ],
    ],
    [
      'out_of_vram',
      true,
      [
        'ValueError: Free memory on device (13.45/15.99 GiB) on startup is less than desired GPU memory utilization',
      ],
    ],
    [
      'out_of_vram',
      true,
      [
        'E alloc_tensor_range: failed to allocate CUDA0 buffer of size 42',
        'E srv load_model: failed to load model',
      ],
    ],
    ['out_of_memory', true, ['E alloc: failed to allocate CPU buffer of size 42']],
    [
      'port_in_use',
      true,
      ["E srv start: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 8080"],
    ],
    ['port_in_use', true, ['OSError: [Errno 98] Address already in use']],
    ['bad_option', false, ['error: unrecognized arguments: --nope']],
    ['bad_option', false, ['error: --ctx 1: a whole number from 16 to 10000000 is needed']],
    ['missing_runtime', false, ['error: node-llama-cpp is not installed in x']],
    [
      'model_not_found',
      false,
      ["gguf_init_from_file: failed to open GGUF file 'x' (No such file or directory)"],
    ],
    [
      'model_invalid',
      false,
      ['gguf_init_from_file_impl: failed to read magic', 'failed to load model'],
    ],
    ['access_denied', false, ['OSError: You are trying to access a gated repo.']],
    [
      'missing_runtime',
      false,
      ["Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'node-llama-cpp'"],
    ],
    ['device_error', true, ['CUDA error: an illegal memory access was encountered']],
    ['exit', true, ['something new']],
  ])('%s', (kind, isRetriable, lines) => {
    const report = classifyLog(['INFO starting', ...lines], failed)
    expect(report).toMatchObject({ kind, isRetriable })
  })

  it('by a signal is told so, with where to look', () => {
    expect(classifyLog(['serving'], { code: null, signal: 'SIGKILL' })).toEqual({
      kind: 'signal',
      message:
        'Ended by SIGKILL. If nobody did it, the kernel was out of memory: look at the kernel log.',
      isRetriable: true,
    })
  })

  it('cleanly is stopped, whatever it printed', () => {
    const noise = ['ERROR EngineDeadError: EngineCore encountered an issue.']
    expect(classifyLog(noise, { code: 0, signal: null }).kind).toBe('stopped')
  })

  it('is quoted without colours and without end', () => {
    const { message } = classifyLog([`\u001b[0;36mCUDA error: ${'x'.repeat(999)}`], failed)
    expect(message.startsWith('"CUDA error: xxx')).toBe(true)
    expect(message.length).toBeLessThan(400)
  })

  it('is not blamed on a warning it has recovered from', () => {
    const lines = ['cudaMalloc failed: out of memory, retrying without pipeline parallelism']
    expect(classifyLog(lines, failed).kind).toBe('exit')
  })

  it('without a word has its exit code told', () => {
    expect(classifyLog([], { code: 7, signal: null }).message).toBe(
      'Exit code 7. It printed nothing.',
    )
  })
})

describe('the drivers', () => {
  it('are found by the name they give themselves, and by no other', () => {
    const found = Object.keys(drivers).map((name) => driverOf(name)?.engine)
    expect(found).toEqual(['embedded', 'openai', 'sim'])
    expect(driverOf('toString')).toBeUndefined()
    expect(driverOf('tgi')).toBeUndefined()
  })
})
