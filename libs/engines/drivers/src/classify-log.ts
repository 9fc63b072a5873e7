import type { CrashReport, EngineExit } from '@berth/supervision'

/** What a line tells of the end of an engine. */
export interface Sign {
  readonly kind: CrashReport['kind']
  readonly pattern: RegExp
  /** What went wrong, in words of people; the line that says so follows it. */
  readonly cause: string
  /** What to do; where it follows from what was printed, made of that line and of all. */
  readonly advice: string | ((fact: string, lines: readonly string[]) => string)
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
    cause: 'Its port is taken',
    advice: 'End what holds it, or leave lifecycle.port at 0 for a free one.',
    isRetriable: true,
  },
  {
    kind: 'bad_option',
    pattern:
      /error: (?:unrecognized arguments|invalid argument|Unknown option|--\w)|error while handling argument|User-specified max_model_len .* is greater/,
    cause: 'It does not take an option of the pool',
    advice: 'Correct engine_options in the pools file.',
    isRetriable: false,
  },
  {
    kind: 'missing_runtime',
    pattern:
      /Cannot find (?:package|module)|ERR_MODULE_NOT_FOUND|is not installed in|cannot open shared object file|^setpriv: failed to execute/,
    cause: 'Something it needs is not installed',
    advice: 'Install it on this host.',
    isRetriable: false,
  },
  {
    kind: 'gated',
    pattern: /access (?:a )?gated repo|GatedRepoError|not in the authorized list/,
    cause: 'The model is gated, and its owner has not let this account in',
    advice:
      'Accept its terms on its page at huggingface.co, then give the agent HF_TOKEN of that account.',
    isRetriable: false,
  },
  {
    kind: 'access_denied',
    pattern: /401 Client Error|403 Client Error|Invalid user token|Invalid credentials/,
    cause: 'The source of the model refuses this host',
    advice: "Set HF_TOKEN in the agent's environment to a token that may read the model.",
    isRetriable: false,
  },
  {
    kind: 'model_not_found',
    pattern:
      /failed to open GGUF file|ENOENT.*\.gguf|Repository Not Found|RepositoryNotFoundError|Can't load the configuration of|is not a valid model identifier|LocalEntryNotFoundError|couldn't find them in the cached files/i,
    cause: 'There is no such model',
    advice: 'Check model in the pools file, and that this host can reach its source.',
    isRetriable: false,
  },
  {
    kind: 'model_invalid',
    pattern:
      /invalid (?:gguf )?magic|failed to read magic|model is corrupted or incomplete|Model architectures .* are not supported/i,
    cause: 'It cannot read the model',
    advice: 'Get the model file again, or one that this engine reads.',
    isRetriable: false,
  },
  {
    kind: 'out_of_memory',
    pattern:
      /failed to allocate CPU buffer|std::bad_alloc|JavaScript heap out of memory|Cannot allocate memory|^MemoryError/,
    cause: 'The host has too little main memory for it',
    advice: 'Free main memory, or lower context_length, slots or the size of the model.',
    isRetriable: true,
  },
  {
    kind: 'out_of_vram',
    pattern:
      /(?:CUDA|HIP) out of memory|OutOfMemoryError|(?:cuda|hip)Malloc failed|out of (?:device )?memory|failed to allocate \S+ buffer|Free memory on device .* is less than desired|No available memory for the cache blocks|KV cache is needed, which is larger/i,
    cause: 'Its GPU has too little free memory for it',
    advice: 'Free memory of the GPU, or lower context_length, slots or the size of the model.',
    isRetriable: true,
  },
  {
    kind: 'device_error',
    pattern:
      /CUDA error|ROCm error|NVML_SUCCESS == r|Failed to infer device type|no CUDA-capable device|No CUDA GPUs are available|NVIDIA driver on your system|EngineDeadError|GGML_ASSERT|^panic:/,
    cause: 'Its device or its own code failed',
    advice: 'Look at nvidia-smi or rocm-smi, and at the kernel log (journalctl -k).',
    isRetriable: true,
  },
  {
    // llama.cpp ends every failed load so; the cause, when it has one, was matched above.
    kind: 'model_invalid',
    pattern: /failed to load model/i,
    cause: 'It could not load the model',
    advice: 'Check that the file is whole and that this engine reads its format.',
    isRetriable: true,
  },
]

const FACT_CHARS = 300
/** What an engine says stands before that; patterns with two ends take long in endless lines. */
const LINE_MAX_CHARS = 4_096

/**
 * Why an engine ended: cause, fact and what to do, from its exit and its last lines (oldest first).
 */
export const classifyLog = (logTail: readonly string[], exit: EngineExit): CrashReport =>
  classifyBy([], logTail, exit)

/** As `classifyLog`, with signs of one engine that go before those of all. */
export const classifyBy = (
  own: readonly Sign[],
  logTail: readonly string[],
  exit: EngineExit,
): CrashReport => {
  if (exit.code === 0) {
    return { kind: 'stopped', message: 'The engine ended by itself, cleanly.', isRetriable: true }
  }
  const lines = logTail
    .map((line) => line.slice(0, LINE_MAX_CHARS))
    .filter((line) => !HARMLESS.test(line))
  for (const { kind, pattern, cause, advice, isRetriable } of [...own, ...SIGNS]) {
    const fact = lines.findLast((line) => pattern.test(line))
    if (fact === undefined) continue
    const next = typeof advice === 'string' ? advice : advice(fact, lines)
    return { kind, message: `${cause}: ${quoted(fact)}. ${next}`, isRetriable }
  }
  if (exit.signal !== null) return ofSignal(exit.signal)
  const last = lines.findLast((line) => line.trim() !== '')
  const said = last === undefined ? 'It printed nothing.' : `Its last line: ${quoted(last)}.`
  const how =
    exit.code === null ? 'It ended, nobody saw how.' : `It ended with exit code ${exit.code}.`
  return { kind: 'exit', message: `${how} ${said}`, isRetriable: true }
}

/** What a signal that nobody sent on purpose means. */
const SIGNALS: Readonly<Record<string, string>> = {
  SIGKILL: 'Somebody killed it, or the kernel was out of memory: journalctl -k says which.',
  SIGSEGV:
    'It read memory that is not its own: a fault of the engine, its libraries or its driver.',
  SIGBUS: 'It lost memory it had mapped: a model file that changed or a full disk does that.',
  SIGABRT: 'It gave itself up: its last lines say why.',
  SIGILL: 'Its program has instructions that this CPU lacks: it was built for another.',
}

const ofSignal = (signal: string): CrashReport => {
  const meaning = SIGNALS[signal] ?? 'Its last lines may say why.'
  return { kind: 'signal', message: `It was ended by ${signal}. ${meaning}`, isRetriable: true }
}

const COLOURS = /\u001b\[[\d;]*m/g

const quoted = (line: string): string => {
  const text = line.replace(COLOURS, '').trim()
  return text.length > FACT_CHARS ? `"${text.slice(0, FACT_CHARS)}…"` : `"${text}"`
}
