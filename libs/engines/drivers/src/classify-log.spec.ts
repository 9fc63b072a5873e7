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
    ['gated', false, ['OSError: You are trying to access a gated repo.', '401 Client Error.']],
    ['gated', false, ['403 Client Error.', 'you are not in the authorized list.']],
    ['access_denied', false, ['requests.exceptions.HTTPError: 401 Client Error: Unauthorized']],
    [
      'model_not_found',
      false,
      [
        "OSError: x is not a local folder and is not a valid model identifier listed on 'https://huggingface.co/models'",
      ],
    ],
    ['missing_runtime', false, ['setpriv: failed to execute vllm: No such file or directory']],
    ['device_error', true, ['RuntimeError: No CUDA GPUs are available']],
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

  it.each(['SIGSEGV', 'SIGKILL', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE'])(
    'by %s is told so, with what that means',
    (signal) => {
      const report = classifyLog(['serving'], { code: null, signal })
      expect(report).toMatchObject({ kind: 'signal', isRetriable: true })
      expect(report.message).toMatch(new RegExp(`^It was ended by ${signal}\\. [A-Z].{20,}\\.$`))
    },
  )

  it('by SIGKILL says that the kernel may have been out of memory', () => {
    const { message } = classifyLog([], { code: null, signal: 'SIGKILL' })
    expect(message).toContain('journalctl -k')
  })

  it('for want of a token is told of HF_TOKEN [002-26a2, 003-FR-045, 003-AC-039]', () => {
    const { message } = classifyLog(['401 Client Error: Unauthorized for url: x'], failed)
    expect(message).toBe(
      'The source of the model refuses this host: "401 Client Error: Unauthorized for url: x". ' +
        "Set HF_TOKEN in the agent's environment to a token that may read the model.",
    )
  })

  it('by a root cause is told with that, not with what followed from it', () => {
    const { message } = classifyLog(
      ['torch.OutOfMemoryError: CUDA out of memory.', 'RuntimeError: Engine core failed.'],
      failed,
    )
    expect(message).toMatch(/^Its GPU has too little free memory for it: "torch\.OutOfMemoryError/)
  })

  it('cleanly is stopped, whatever it printed', () => {
    const noise = ['ERROR EngineDeadError: EngineCore encountered an issue.']
    expect(classifyLog(noise, { code: 0, signal: null }).kind).toBe('stopped')
  })

  it('is quoted without colours and without end', () => {
    const { message } = classifyLog([`\u001b[0;36mCUDA error: ${'x'.repeat(999)}`], failed)
    expect(message).toContain(': "CUDA error: xxx')
    expect(message.length).toBeLessThan(500)
  })

  it('is found in endless lines before anybody stops waiting for it', () => {
    // Where the second half of a pattern is looked for again from each of its beginnings.
    const endless = ['ENOENT', 'User-specified max_model_len ', 'Model architectures ']
    const lines = endless.map((start) => start.repeat(1_000_000 / start.length))
    expect(classifyLog(lines, failed).kind).toBe('exit')
  })

  it('is not blamed on a warning it has recovered from', () => {
    const lines = ['cudaMalloc failed: out of memory, retrying without pipeline parallelism']
    expect(classifyLog(lines, failed).kind).toBe('exit')
  })

  it('without a word has its exit code told', () => {
    expect(classifyLog([], { code: 7, signal: null }).message).toBe(
      'It ended with exit code 7. It printed nothing.',
    )
  })
})

describe('the drivers', () => {
  it('are found by the name they give themselves, and by no other', () => {
    const found = Object.keys(drivers).map((name) => driverOf(name)?.engine)
    expect(found).toEqual(['embedded', 'llamacpp', 'ollama', 'openai', 'sim', 'vllm'])
    expect(driverOf('toString')).toBeUndefined()
    expect(driverOf('tgi')).toBeUndefined()
  })
})
