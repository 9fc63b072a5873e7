/** The HTTP dialects the simulator speaks. */
export const DIALECTS = ['vllm', 'llamacpp', 'ollama'] as const
/** One of `DIALECTS`: whose HTTP API and log lines the engine speaks. */
export type Dialect = (typeof DIALECTS)[number]

/** What can be set on a simulated engine. Flags are the kebab-case, JSON the snake_case names. */
export interface Knobs {
  dialect: Dialect
  host: string
  /** 0 lets the system choose; the log says which. */
  port: number
  /** The served name. For ollama: on disk at start, unless `models` says otherwise. */
  model: string
  /** ollama: names on disk at start. */
  models: readonly string[]
  slots: number
  /** Tokens of context of one slot. */
  ctx: number
  loadMs: number
  /** 0 = off; loading prints a line so often. */
  loadLineMs: number
  /** Per stream; 0 = as fast as possible. */
  tokensPerS: number
  firstTokenMs: number
  /** Claimed in logs, `/api/ps` and the state; nothing is allocated. */
  vramBytes: number
  seed: number
  apiKey: string
  hasMetrics: boolean
  hasEmbeddings: boolean
  /** vLLM: adapters come and go by `/v1/load_lora_adapter`. */
  hasLora: boolean
  /** vLLM: `/sleep`, `/wake_up` and `/is_sleeping` are there. */
  hasSleep: boolean
  /** vLLM: `--shutdown-timeout`, how long SIGTERM lets running requests finish. */
  shutdownTimeoutS: number
  /** llama.cpp: how often it looks whether the client of a silent request is gone. */
  cancelPollMs: number
  /** ollama: `OLLAMA_MAX_QUEUE`. */
  maxQueue: number
  /** ollama: `OLLAMA_MAX_LOADED_MODELS`; 0 = no limit. */
  maxLoadedModels: number
  /** ollama: how long a pull takes. */
  pullMs: number
  /** ollama: size of each model on disk. */
  modelBytes: number
  /** ollama: what of a model in memory is on the CPU, beside `vramBytes`. */
  cpuBytes: number
  /** ollama: `OLLAMA_KEEP_ALIVE`, of models that were loaded without one; 1e15 and more: for ever. */
  keepAliveMs: number
  /** ollama: the connection is cut where a pull gets past so much of the model; 0 = off. */
  pullCutPercent: number
  /** ollama: a pull ends half way in this error, after its 200. Empty: it does not. */
  pullError: string
  /** ollama: names that no registry has. */
  absentModels: readonly string[]
  /** -1 = off; else the process exits so, at start or after `exitAfterMs`. */
  exitCode: number
  exitAfterMs: number
  /** 0 = off; crashes when this many requests have ended. */
  crashAfterRequests: number
  /** 0 = off; crashes, in the middle of its answers, when this many tokens were sent. */
  crashAfterTokens: number
  /** 0 = off; counted from the start of the process, or from the patch that sets it. */
  crashAfterMs: number
  /** Healthy, accepts requests, sends no tokens. */
  isHung: boolean
  /** 0 = off; the connection is cut after this many tokens of each answer. */
  dropMidStreamAfter: number
  /** 0 = off; every generation is answered with this status and the dialect's error body. */
  errorStatus: number
  ignoresSigterm: boolean
  /** Starts a child that ignores SIGTERM and outlives this process; ends itself in 10 minutes. */
  hasOrphan: boolean
  /** The same, in a session of its own: signals to the group of this process do not reach it. */
  hasDaemon: boolean
  isOnWrongPort: boolean
  /** Prints the dialect's out-of-memory text and exits 1. */
  isOom: boolean
  /** The model it cannot load: asked to serve it, it says so and exits 1. Empty: it loads all. */
  brokenModel: string
  healthDelayMs: number
  isNeverReady: boolean
}

/** The camelCase name of a knob. */
export type KnobName = keyof Knobs
/** Knobs that were read, or every problem with what was given. */
export type KnobsResult =
  | { readonly ok: true; readonly knobs: Knobs }
  | { readonly ok: false; readonly problems: readonly string[] }

const GIB = 1024 ** 3

/** What an engine started without flags does. */
export const DEFAULT_KNOBS: Readonly<Knobs> = {
  dialect: 'vllm',
  host: '127.0.0.1',
  port: 0,
  model: 'sim-model',
  models: [],
  slots: 4,
  ctx: 32768,
  loadMs: 0,
  loadLineMs: 0,
  tokensPerS: 0,
  firstTokenMs: 0,
  vramBytes: GIB,
  seed: 1,
  apiKey: '',
  hasMetrics: true,
  hasEmbeddings: true,
  hasLora: false,
  hasSleep: false,
  shutdownTimeoutS: 0,
  cancelPollMs: 1000,
  maxQueue: 512,
  maxLoadedModels: 0,
  pullMs: 0,
  modelBytes: GIB,
  cpuBytes: 0,
  keepAliveMs: 300_000,
  pullCutPercent: 0,
  pullError: '',
  absentModels: [],
  exitCode: -1,
  exitAfterMs: 0,
  crashAfterRequests: 0,
  crashAfterTokens: 0,
  crashAfterMs: 0,
  isHung: false,
  dropMidStreamAfter: 0,
  errorStatus: 0,
  ignoresSigterm: false,
  hasOrphan: false,
  hasDaemon: false,
  isOnWrongPort: false,
  isOom: false,
  brokenModel: '',
  healthDelayMs: 0,
  isNeverReady: false,
}

// Facts in code, imperatives on the command line.
const OPTION_OF: Partial<Record<KnobName, string>> = {
  hasMetrics: 'metrics',
  hasEmbeddings: 'embeddings',
  hasLora: 'lora',
  hasSleep: 'sleep',
  shutdownTimeoutS: 'shutdown_timeout',
  isHung: 'hang',
  ignoresSigterm: 'ignore_sigterm',
  hasOrphan: 'orphan',
  hasDaemon: 'daemon',
  isOnWrongPort: 'wrong_port',
  isOom: 'oom',
  isNeverReady: 'never_ready',
}
const FIXED: readonly KnobName[] = [
  'dialect',
  'host',
  'port',
  'hasOrphan',
  'hasDaemon',
  'isOnWrongPort',
]
const NAMES = Object.keys(DEFAULT_KNOBS) as KnobName[]
const optionOf = (name: KnobName): string =>
  OPTION_OF[name] ?? name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
const NAME_OF = new Map(NAMES.map((name) => [optionOf(name), name]))

/** The knob with this snake_case name (`tokens_per_s`), as `engine_options` and patches say it. */
export const knobOfOption = (option: string): KnobName | undefined => NAME_OF.get(option)

/** The command-line flag of a knob: `--tokens-per-s`. */
export const flagOfKnob = (name: KnobName): string => `--${optionOf(name).replaceAll('_', '-')}`

/** All knobs under their snake_case names. */
export const optionsOfKnobs = (knobs: Readonly<Knobs>): Record<string, unknown> =>
  Object.fromEntries(NAMES.map((name) => [optionOf(name), knobs[name]]))

/** False for what is decided when the process starts. */
export const isLiveKnob = (name: KnobName): boolean => !FIXED.includes(name)

/** Reads a command line; booleans stand alone (`--hang`) or with `=false`. */
export const knobsFromFlags = (argv: readonly string[]): KnobsResult => {
  const patch: Record<string, unknown> = {}
  const problems: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const [flag, inline] = splitOnce(argv[i]!)
    const option = flag.replace(/^--/, '').replaceAll('-', '_')
    const name = flag.startsWith('--') ? knobOfOption(option) : undefined
    if (name === undefined) problems.push(`unrecognized arguments: ${argv[i]}`)
    else if (inline === undefined && typeof DEFAULT_KNOBS[name] === 'boolean') patch[option] = true
    else patch[option] = fromText(name, inline ?? argv[++i] ?? '')
  }
  if (problems.length > 0) return { ok: false, problems }
  // llama-server answers 501 unless it was started with `--embeddings`.
  const hasEmbeddings = patch.dialect !== 'llamacpp'
  return patchKnobs({ ...DEFAULT_KNOBS, hasEmbeddings }, patch, () => true)
}

/** A copy of `knobs` with the snake_case `patch` applied, or what is wrong with the patch. */
export const patchKnobs = (
  knobs: Readonly<Knobs>,
  patch: Readonly<Record<string, unknown>>,
  mayChange: (name: KnobName) => boolean = isLiveKnob,
): KnobsResult => {
  const problems: string[] = []
  const next: Record<string, unknown> = { ...knobs }
  for (const [option, value] of Object.entries(patch)) {
    const name = knobOfOption(option)
    if (name === undefined) problems.push(`${option}: no such knob`)
    else if (!mayChange(name)) problems.push(`${option}: decided when the process starts`)
    else if (!fits(name, value)) problems.push(`${option}: ${JSON.stringify(value)} does not fit`)
    else next[name] = value
  }
  return problems.length > 0
    ? { ok: false, problems }
    : { ok: true, knobs: next as unknown as Knobs }
}

const splitOnce = (argument: string): [string, string | undefined] => {
  const at = argument.indexOf('=')
  return at < 0 ? [argument, undefined] : [argument.slice(0, at), argument.slice(at + 1)]
}

const fromText = (name: KnobName, text: string): unknown => {
  const like = DEFAULT_KNOBS[name]
  if (typeof like === 'number') return text === '' ? NaN : Number(text)
  if (typeof like === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  if (Array.isArray(like)) return text.split(',').filter((item) => item !== '')
  return text
}

const fits = (name: KnobName, value: unknown): boolean => {
  if (name === 'dialect') return DIALECTS.includes(value as Dialect)
  const like = DEFAULT_KNOBS[name]
  if (Array.isArray(like)) return Array.isArray(value) && value.every((v) => typeof v === 'string')
  if (typeof like === 'number') {
    return Number.isFinite(value) && (value as number) >= (name === 'exitCode' ? -1 : 0)
  }
  return typeof value === typeof like
}
