import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { vllmDriver } from './vllm-driver.ts'

const FAILED = { code: 1, signal: null }
const CONSEQUENCE =
  'RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}'
const recorded = (name: string) =>
  readFileSync(new URL(`../fixtures/vllm/${name}`, import.meta.url), 'utf8').split('\n')
const ended = (...lines: readonly string[]) => vllmDriver.classify(lines, FAILED)
const errors = (...lines: readonly string[]) =>
  lines.map((line) => `(EngineCore_DP0 pid=7) ERROR 01-01 21:15:10 [core.py:866] ${line}`)

describe('a vLLM that ended, as recorded', () => {
  it('0.25.1 with no room for one request tells which length fits', () => {
    const lines = recorded('error_kv-cache-needed-larger_gb10_0.25.1.log')
    const report = vllmDriver.classify(lines, FAILED)
    expect(report).toMatchObject({ kind: 'out_of_vram', isRetriable: false })
    expect(report.message).toContain('Set context_length to 121840 or less')
  })

  it('by SIGTERM from outside did not crash, whatever it printed after it', () => {
    const lines = recorded('shutdown-sigterm_engine-dead-noise_gb10_0.25.1.log')
    expect(lines.join()).toContain('EngineDeadError')
    expect(vllmDriver.classify(lines, FAILED).kind).toBe('stopped')
    expect(vllmDriver.classify(lines, { code: 0, signal: null }).kind).toBe('stopped')
  })

  it('by SIGTERM while it loaded did not crash either', () => {
    const { kind, message } = ended('INFO 01-01 [x.py] loading', 'KeyboardInterrupt: terminated')
    expect([kind, message]).toEqual(['stopped', expect.stringContaining('SIGTERM')])
  })
})

// Written after recordings of these versions, whose projects state no licence, and engines.md 2.
describe('a vLLM that ended', () => {
  it.each([
    [
      '[003-UT-003, 003-FR-012, 003-FR-046, 003-AC-030, 003-AC-038] without a GPU',
      [
        'INFO 08-01 [__init__.py:1] No platform detected, vLLM is running on UnspecifiedPlatform',
        'RuntimeError: Failed to infer device type, please set the environment variable',
      ],
      ['device_error', true, 'It finds no GPU', 'Run nvidia-smi (NVIDIA) or rocm-smi (AMD)'],
    ],
    [
      '[003-FR-012] with a GPU whose driver does not answer',
      errors('RuntimeError: No CUDA GPUs are available'),
      ['device_error', true, 'It finds no GPU', 'nvidia-smi'],
    ],
    [
      '[003-UT-004, 003-FR-013, 003-FR-025, 003-FR-044, 003-AC-037, 001-LDR-8] with a model that is not at the Hub',
      [
        'huggingface_hub.errors.RepositoryNotFoundError: 404 Client Error. (Request ID: Root=1)',
        'Repository Not Found for url: https://huggingface.co/api/models/acme/no-such/tree/main.',
        'If you are trying to access a private or gated repo, make sure you are authenticated.',
        "OSError: acme/no-such is not a local folder and is not a valid model identifier listed on 'https://huggingface.co/models'",
      ],
      ['model_not_found', false, 'acme/no-such', 'https://huggingface.co/acme/no-such,'],
    ],
    [
      '[003-FR-045, 003-AC-009, 003-AC-039, 001-LDR-7] with a private model and no token',
      [
        'huggingface_hub.errors.RepositoryNotFoundError: 401 Client Error. (Request ID: Root=1)',
        'Repository Not Found for url: https://huggingface.co/api/models/acme/secret.',
      ],
      ['access_denied', false, '401 Client Error', 'Set HF_TOKEN'],
    ],
    [
      '[003-FR-025, 003-FR-045] with a token that is none',
      ['requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: https://x'],
      ['access_denied', false, '401 Client Error', 'HF_TOKEN'],
    ],
    [
      '[003-AC-012] with a gated model',
      [
        'OSError: You are trying to access a gated repo.',
        '403 Client Error. (Request ID: Root=1)',
        'Cannot access gated repo for url https://huggingface.co/meta-llama/Llama-3.1-8B/resolve/main/config.json.',
        'Access to model meta-llama/Llama-3.1-8B is restricted and you are not in the authorized list.',
      ],
      [
        ...['gated', false, 'not in the authorized list'],
        'Accept its terms at https://huggingface.co/meta-llama/Llama-3.1-8B',
      ],
    ],
    [
      '[003-AC-013] where nothing may be fetched and the cache is not whole',
      [
        'huggingface_hub.errors.LocalEntryNotFoundError: Cannot find the requested files in the disk cache and outgoing traffic has been disabled.',
        "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the cached files.",
      ],
      ['model_not_found', false, 'not whole on this host', 'berth models pull'],
    ],
    [
      'where others hold the GPU',
      [
        ...errors(
          'ValueError: Free memory on device cuda:0 (54.34/79.18 GiB) on startup is less than desired GPU memory utilization (0.92, 72.84 GiB). Decrease GPU memory utilization',
        ),
        CONSEQUENCE,
      ],
      ['out_of_vram', true, '54.34/79.18 GiB', 'gpu_memory_utilization below 0.68'],
    ],
    [
      'out of memory',
      [
        ...errors('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 270.00 MiB.'),
        CONSEQUENCE,
      ],
      ['out_of_vram', true, 'Tried to allocate 270.00 MiB', 'nvidia-smi'],
    ],
    [
      'out of memory of an AMD GPU',
      errors('torch.OutOfMemoryError: HIP out of memory. Tried to allocate 80.00 MiB.'),
      ['out_of_vram', true, 'HIP out of memory', 'tensor_parallel_size|over more GPUs'],
    ],
    [
      'with weights that leave no cache',
      errors('ValueError: No available memory for the cache blocks. Try increasing it'),
      ['out_of_vram', false, 'leave no memory', 'gpu_memory_utilization'],
    ],
    [
      'beside another that gave memory back',
      errors('AssertionError: Error in memory profiling. Initial free memory 20.1 GiB'),
      ['out_of_vram', true, 'Another process', 'tried again'],
    ],
    [
      'when it could not wake up',
      errors('Call to wake_up method failed: CUDA Error: out of memory at cumem.cpp'),
      ['out_of_vram', true, 'wake_up', 'nvidia-smi'],
    ],
    [
      'with an architecture it does not know',
      ["Value error, Model architectures ['LlavaLlamaForCausalLM'] are not supported for now."],
      ['model_invalid', false, 'LlavaLlamaForCausalLM', 'Upgrade vLLM'],
    ],
    [
      'with a context the model was not made for',
      [
        'Value error, User-specified max_model_len (999999) is greater than the derived max_model_len (max_position_embeddings=40960 or model_max_length=None)',
      ],
      ['bad_option', false, '999999', 'context_length of the pool to 40960'],
    ],
    [
      'without nvcc',
      errors(
        "RuntimeError: Could not find nvcc and default cuda_home='/usr/local/cuda' doesn't exist",
      ),
      ['missing_runtime', false, 'nvcc', 'CUDA toolkit'],
    ],
    [
      'by an assertion on its driver',
      ['RuntimeError: NVML_SUCCESS == r INTERNAL ASSERT FAILED at "../c10/cuda/x.cpp":995'],
      ['device_error', true, 'NVML_SUCCESS', 'journalctl -k'],
    ],
    [
      'with a model that brings code',
      [
        'ValueError: The repository acme/odd contains custom code. Please pass the argument `trust_remote_code=True` to allow custom code to be run.',
      ],
      ['bad_option', false, 'code of its own', 'engine_options.trust_remote_code: true'],
    ],
    [
      'for an option that it does not know',
      ['usage: vllm serve [-h] ...', 'vllm: error: unrecognized arguments: --no-such'],
      ['bad_option', false, '--no-such', 'vllm serve --help'],
    ],
    [
      'as a Python without it',
      ["/usr/bin/python3: Error while finding module specification: No module named 'vllm'"],
      ['missing_runtime', false, 'vllm', 'never installs packages'],
    ],
    [
      '[003-UT-002, 003-AC-005] as its port was taken',
      ['OSError: [Errno 98] Address already in use'],
      ['port_in_use', true, 'Its port is taken', 'lifecycle.port'],
    ],
    [
      'by a shell that was told to kill it',
      [
        '(APIServer pid=7) INFO:     127.0.0.1:60538 - "GET /v1/models HTTP/1.1" 401 Unauthorized',
        './serve.sh: line 193: 124064 Killed     vllm serve "$MODEL"',
      ],
      ['out_of_memory', true, 'It was killed', 'journalctl -k'],
    ],
    [
      'when its core died',
      [
        '(APIServer pid=7) INFO:     Application startup complete.',
        "(EngineCore pid=8) ERROR 01-01 21:15:10 [dump_input.py:72] Dumping input data for V1 LLM engine (v0.11.1) with config: model='a/b', trust_remote_code=True, 'Repository Not Found'",
        '(EngineCore pid=8) ERROR 01-01 [core.py:1] torch.AcceleratorError: CUDA error: device-side assert triggered',
        'vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.',
      ],
      ['device_error', true, 'device-side assert', 'journalctl'],
    ],
  ] as const)('%s', (_what, lines, [kind, isRetriable, fact, advice]) => {
    const report = vllmDriver.classify(lines, FAILED)
    expect(report).toMatchObject({ kind, isRetriable })
    expect(report.message).toContain(fact)
    expect(report.message).toMatch(new RegExp(advice.replaceAll(/[.()]/g, '\\$&')))
  })

  it('is not told by what it recovered from', () => {
    const report = ended(
      'WARNING 01-01 21:15:10 [x.py:1] Exception: CUDA error: not this one',
      'INFO 01-01 21:15:11 [x.py:2] Model loading took 2.32 GiB and 0.8 seconds',
      'ModuleNotFoundError: something odd',
    )
    expect(report).toMatchObject({ kind: 'exit', message: expect.stringContaining('odd') })
  })

  it('is told by the worker that failed, also when others went on', () => {
    const report = ended(
      ...errors('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB.'),
      '(Worker_TP1 pid=9) INFO 01-01 [x.py:2] Model loading took 2.32 GiB and 0.8 seconds',
      CONSEQUENCE,
    )
    expect(report.kind).toBe('out_of_vram')
  })
})
