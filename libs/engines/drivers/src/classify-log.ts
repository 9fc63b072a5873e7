import type { CrashReport, EngineExit } from '@berth/supervision'

interface Sign {
  readonly kind: CrashReport['kind']
  readonly pattern: RegExp
  readonly advice: string
  readonly isRetriable: boolean
}

/** Lines an engine has recovered from, though they hold the words of a failure. */
const HARMLESS = /retrying without pipeline parallelism/

/**
 * What engines print before they die, most telling first: a root cause stands before its
 * consequences. Sources: vLLM, llama.cpp and Ollama as recorded in `reference/engines.md` 1 to 3.
 */
const SIGNS: readonly Sign[] = [
  {
    kind: 'port_in_use',
    pattern: /address already in use|couldn't bind HTTP server socket|EADDRINUSE/i,
    advice: 'Another process holds the port; the next start gets another one.',
    isRetriable: true,
  },
  {
    kind: 'bad_option',
    pattern:
      /error: (?:unrecognized arguments|invalid argument|Unknown option|--\w)|error while handling argument/,
    advice: 'Correct engine_options of the pool.',
    isRetriable: false,
  },
  {
    kind: 'missing_runtime',
    pattern:
      /Cannot find (?:package|module)|ERR_MODULE_NOT_FOUND|is not installed in|cannot open shared object file/,
    advice: 'Install what the engine needs on this host.',
    isRetriable: false,
  },
  {
    kind: 'access_denied',
    pattern: /gated repo|GatedRepoError|401 Client Error|403 Client Error/,
    advice: 'Give the host a token that may read the model.',
    isRetriable: false,
  },
  {
    kind: 'model_not_found',
    pattern:
      /failed to open GGUF file|ENOENT.*\.gguf|Repository Not Found|RepositoryNotFoundError|Can't load the configuration of/i,
    advice: 'Check the path or the reference of the model.',
    isRetriable: false,
  },
  {
    kind: 'model_invalid',
    pattern:
      /invalid (?:gguf )?magic|failed to read magic|model is corrupted or incomplete|Model architectures .* are not supported/i,
    advice: 'Get the model file again, or one that this engine reads.',
    isRetriable: false,
  },
  {
    kind: 'out_of_memory',
    pattern:
      /failed to allocate CPU buffer|std::bad_alloc|JavaScript heap out of memory|Cannot allocate memory/,
    advice: 'Free main memory, or lower context_length, slots or the size of the model.',
    isRetriable: true,
  },
  {
    kind: 'out_of_vram',
    pattern:
      /(?:CUDA|HIP) out of memory|OutOfMemoryError|(?:cuda|hip)Malloc failed|out of (?:device )?memory|failed to allocate \S+ buffer|Free memory on device .* is less than desired|No available memory for the cache blocks|KV cache is needed, which is larger/i,
    advice: 'Free VRAM, or lower context_length, slots or the size of the model.',
    isRetriable: true,
  },
  {
    kind: 'device_error',
    pattern:
      /CUDA error|ROCm error|NVML_SUCCESS == r|Failed to infer device type|EngineDeadError|GGML_ASSERT|^panic:/,
    advice: 'Look at the engine log and the kernel log of this host.',
    isRetriable: true,
  },
  {
    // llama.cpp ends every failed load so; the cause, when it has one, was matched above.
    kind: 'model_invalid',
    pattern: /failed to load model/i,
    advice: 'Check that the file is whole and that this engine reads its format.',
    isRetriable: true,
  },
]

const FACT_CHARS = 300

/** Why an engine ended, from its exit and its last lines (oldest first). */
export const classifyLog = (logTail: readonly string[], exit: EngineExit): CrashReport => {
  if (exit.code === 0) {
    return { kind: 'stopped', message: 'The engine ended by itself, cleanly.', isRetriable: true }
  }
  const lines = logTail.filter((line) => !HARMLESS.test(line))
  for (const { kind, pattern, advice, isRetriable } of SIGNS) {
    const fact = lines.findLast((line) => pattern.test(line))
    if (fact === undefined) continue
    return { kind, message: `${quoted(fact)} ${advice}`, isRetriable }
  }
  if (exit.signal !== null) return ofSignal(exit.signal)
  const last = lines.findLast((line) => line.trim() !== '')
  const said = last === undefined ? 'It printed nothing.' : `Its last line: ${quoted(last)}`
  const how = exit.code === null ? 'It ended, nobody saw how.' : `Exit code ${exit.code}.`
  return { kind: 'exit', message: `${how} ${said}`, isRetriable: true }
}

const ofSignal = (signal: string): CrashReport => {
  const advice =
    signal === 'SIGKILL'
      ? 'If nobody did it, the kernel was out of memory: look at the kernel log.'
      : 'Look at the engine log.'
  return { kind: 'signal', message: `Ended by ${signal}. ${advice}`, isRetriable: true }
}

const COLOURS = /\u001b\[[\d;]*m/g

const quoted = (line: string): string => {
  const text = line.replace(COLOURS, '').trim()
  return text.length > FACT_CHARS ? `"${text.slice(0, FACT_CHARS)}…".` : `"${text}".`
}
