import type { CrashReport, EngineExit } from '@berth/supervision'
import { classifyLog } from './classify-log.ts'

/**
 * Why the daemon ended. What its log says of models that failed is no cause of that: their runners
 * are processes of their own, so that only its own last words count.
 */
export const classifyOllama = (logTail: readonly string[], exit: EngineExit): CrashReport =>
  classifyLog(logTail.filter(isLastWord), exit)

/** Structured lines are its diary, and lines without a known start are those of runners. */
const isLastWord = (line: string): boolean =>
  /^(?:Error: |panic: |fatal error: |runtime: |ollama: |setpriv: |Could not )/.test(line) ||
  /cannot open shared object file|not found$/.test(line)

interface Sign {
  readonly kind: CrashReport['kind']
  readonly pattern: RegExp
  readonly advice: string
  readonly isRetriable: boolean
}

/** What Ollama itself takes for a lack of memory (`llm/status.go`; engines.md 3). */
const OUT_OF_VRAM =
  /out of (?:device )?memory|(?:cuda|hip)Malloc failed|failed to allocate|allocation failed|not enough memory|insufficient memory|vk_error_out_of_device_memory|erroroutofmemory/i

const SIGNS: readonly Sign[] = [
  {
    kind: 'model_not_found',
    pattern: /file does not exist|model '.*' not found|invalid model name|manifest unknown/i,
    advice: 'Check the name: ollama.com/library lists them.',
    isRetriable: false,
  },
  {
    kind: 'out_of_memory',
    pattern: /requires more system memory|failed to allocate CPU buffer/i,
    advice: 'Free main memory, or lower context_length, slots or the size of the model.',
    isRetriable: true,
  },
  {
    kind: 'out_of_vram',
    pattern: OUT_OF_VRAM,
    advice:
      'Unload another model of the pool, or lower context_length, slots or the size of the model.',
    isRetriable: true,
  },
  {
    kind: 'access_denied',
    pattern: /unauthori[sz]ed|access denied|status code 40[13]|\b40[13]:/i,
    advice: 'This registry wants an account that the daemon does not have.',
    isRetriable: false,
  },
  {
    kind: 'bad_option',
    pattern: /requires a newer version of ollama|\b412:/i,
    advice: 'Install a newer Ollama on this host.',
    isRetriable: false,
  },
  {
    kind: 'model_invalid',
    pattern:
      /unsupported model|unknown model architecture|invalid (?:gguf )?magic|failed to load model|unable to load model|digest mismatch|file is not in GGUF/i,
    advice: 'Pull the model again, or take one that this version of Ollama reads.',
    isRetriable: false,
  },
  {
    kind: 'device_error',
    pattern: /CUDA error|ROCm error|GGML_ASSERT/,
    advice: 'Look at nvidia-smi or rocm-smi, and at the kernel log (journalctl -k).',
    isRetriable: true,
  },
]

const FACT_CHARS = 300
/** Patterns with two ends take long in endless texts. */
const ERROR_MAX_CHARS = 4_096

/** What an `error` of its API means. `status`: of the answer; a stream may fail after a 200. */
export const reportOfError = (whole: string, status: number): CrashReport => {
  const error = whole.slice(0, ERROR_MAX_CHARS)
  const said = `Ollama says: "${error.slice(0, FACT_CHARS)}".`
  const harmless = /retrying without pipeline parallelism/.test(error)
  const sign = harmless ? undefined : SIGNS.find(({ pattern }) => pattern.test(error))
  if (sign) {
    const { kind, advice, isRetriable } = sign
    return { kind, message: `${said} ${advice}`, isRetriable }
  }
  if (status === 404) return { kind: 'model_not_found', message: said, isRetriable: false }
  // Its runner died, the queue is full, the network broke: another try may do.
  return { kind: 'exit', message: said, isRetriable: status !== 400 }
}
