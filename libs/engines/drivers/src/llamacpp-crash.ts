import type { CrashReport, EngineExit } from '@berth/supervision'
import { classifyLog } from './classify-log.ts'

interface Sign {
  readonly kind: CrashReport['kind']
  readonly pattern: RegExp
  readonly cause: string
  readonly advice: string
  readonly isRetriable: boolean
}

/** What llama-server says in its own words, before what engines have in common. */
const SIGNS: readonly Sign[] = [
  {
    kind: 'bad_option',
    pattern: /error: invalid argument: (?:-fit|--offline|--cache-ram|--log-colors|--no-webui)\b/,
    cause: 'This llama-server is older than the flags Berth starts it with',
    advice: 'Update llama.cpp, or name another with lifecycle.binary_path.',
    isRetriable: false,
  },
  {
    kind: 'device_error',
    pattern: /invalid device: \w+/,
    cause: 'It does not have the GPU of the pool: built without support for it, or it sees none',
    advice:
      'Install a build for this GPU (llama-server --list-devices shows what it sees), ' +
      'or set devices: [cpu].',
    isRetriable: false,
  },
  {
    kind: 'bad_option',
    pattern:
      /quantized V cache requires flash_attn|cache type \S+ with block size \d+ does not divide|SPLIT_MODE_TENSOR requires|supplied chat template is not supported|failed to load (?:lora adapter|multimodal model)/,
    cause: 'An option of the pool does not fit this model',
    advice: 'Correct engine_options in the pools file.',
    isRetriable: false,
  },
  {
    kind: 'model_invalid',
    pattern: /(?:unknown|unsupported) model architecture/,
    cause: 'This llama-server does not know the architecture of the model',
    advice: 'Update llama.cpp, or choose another model.',
    isRetriable: false,
  },
  {
    kind: 'out_of_memory',
    pattern: /unable to allocate CPU\w* buffer|ggml_aligned_malloc: insufficient memory/,
    cause: 'The host has too little main memory for it',
    advice: 'Free main memory, or lower context_length, slots or the size of the model.',
    isRetriable: true,
  },
  {
    kind: 'out_of_vram',
    pattern: /unable to allocate (?:CUDA|ROCm|Vulkan|Metal|SYCL)\S* buffer/,
    cause: 'Its GPU has too little free memory for it',
    advice: 'Free memory of the GPU, or lower context_length, slots or the size of the model.',
    isRetriable: true,
  },
  {
    kind: 'device_error',
    pattern: /HSA_STATUS_ERROR|HIP error|vk::DeviceLostError/,
    cause: 'Its device or its own code failed',
    advice: 'Look at rocm-smi or nvidia-smi, and at the kernel log (journalctl -k).',
    isRetriable: true,
  },
]

/** From here on it serves: what it printed before, it got over. */
const SERVES = /(?:server is )?listening on (?:http|unix)|(?:main|llama_server): model loaded/

const FACT_CHARS = 300

/**
 * Why a llama-server ended. What failed before it listened did not end it: it tries an allocation,
 * says `cudaMalloc failed`, and goes on with less.
 */
export const classifyLlamacpp = (logTail: readonly string[], exit: EngineExit): CrashReport => {
  const lines = logTail.slice(logTail.findLastIndex((line) => SERVES.test(line)) + 1)
  if (exit.code === 0) return classifyLog(lines, exit)
  for (const { kind, pattern, cause, advice, isRetriable } of SIGNS) {
    const fact = lines.findLast((line) => pattern.test(line))
    if (fact === undefined) continue
    const message = `${cause}: "${fact.trim().slice(0, FACT_CHARS)}". ${advice}`
    return { kind, message, isRetriable }
  }
  return classifyLog(lines, exit)
}
