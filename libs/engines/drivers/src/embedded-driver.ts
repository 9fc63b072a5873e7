import { BerthError } from '@berth/kernel'
import type { MemoryPlan } from '@berth/memory'
import type {
  EngineAccess,
  EngineDriver,
  EngineSpec,
  LaunchGrant,
  LogSign,
} from '@berth/supervision'
import { attach, bearer, checkUrl } from './attach.ts'
import { checkOptions, oneOf, trueOrFalse, wholeNumber } from './check-options.ts'
import { classifyLog } from './classify-log.ts'
import { readEngineMetrics } from './prometheus-text.ts'
import { readAnswer } from './read-answer.ts'
import { readModels } from './read-models.ts'
import { readSlots } from './read-slots.ts'

const HEALTH = { path: '/health', timeoutMs: 5000 }
const MODELS = { path: '/v1/models', timeoutMs: 5000 }
const PROPS = { path: '/props', timeoutMs: 5000 }
// What the engine's own flags allow.
const MAX_SLOTS = 64
const MAX_THREADS = 1024
const MAX_QUEUED = 10_000
const GENERATION = ['/v1/chat/completions', '/v1/completions']
const EMBEDDINGS = '/v1/embeddings'
/** The library rounds the context of all slots up to it. */
const CONTEXT_STEP = 256
/** Prompt tokens the engine computes at once: it looks for clients that left in between. */
const BATCH_TOKENS = { off: 64, auto: 512 } as const
/** CUDA context and libraries: 0.3 to 0.6 GiB (engines.md 6). */
const GPU_OVERHEAD_BYTES = 536_870_912

const OPTIONS = {
  threads: wholeNumber(1, MAX_THREADS),
  embeddings: trueOrFalse,
  gpu: oneOf('auto', 'off'),
  batching: oneOf('exact', 'shared'),
  max_queued: wholeNumber(0, MAX_QUEUED),
}

/** Our own server over node-llama-cpp: any GGUF file, the HTTP subset of llama-server. */
export const embeddedDriver: EngineDriver = {
  engine: 'embedded',
  abilities: {
    routes: [...GENERATION, EMBEDDINGS],
    hasModelLifecycle: true,
    hasResourceMonitoring: true,
    isAbortedByDisconnect: true,
    seedField: 'seed',
    quantizations: ['F32', 'F16', 'BF16', 'Q8_0', 'Q6_K', 'Q5_K_M', 'Q5_0', 'Q4_K_M', 'Q4_0'],
    minComputeCapability: 0,
  },
  routes: ({ options, mode }) =>
    mode === 'managed' && options.embeddings !== true ? GENERATION : [...GENERATION, EMBEDDINGS],
  check: (spec) => [
    ...(spec.mode === 'managed' ? [] : checkUrl(spec)),
    ...(spec.slots > MAX_SLOTS ? [`slots: at most ${MAX_SLOTS} on the embedded engine`] : []),
    ...checkOptions(spec, OPTIONS),
  ],
  plan: (spec, grant) => {
    if (spec.mode !== 'managed') return attach(spec, access({}))
    return {
      kind: 'process',
      argv: argvOf(spec, grant),
      env: { BERTH_ENGINE_API_KEY: grant.apiKey },
      access: {
        ...access(bearer(grant.apiKey)),
        baseUrl: `http://${grant.host}:${grant.port}`,
      },
      stopGraceMs: spec.shutdownGraceMs,
    }
  },
  readProbe: (probe, response, spec) => {
    if (probe.path === MODELS.path) return readModels(probe.path, response, spec)
    if (probe.path === PROPS.path) return readSlots(probe.path, response)
    return readAnswer(probe.path, response, (_answer, graded) => graded)
  },
  readMetrics: readEngineMetrics,
  readLog: (line) => readPhase(line),
  memoryPlan: (spec) => memoryPlanOf(spec),
  classify: classifyLog,
}

const access = (headers: EngineAccess['headers']): Omit<EngineAccess, 'baseUrl'> => ({
  headers,
  readyProbes: [HEALTH, MODELS, PROPS],
  metricsPath: '/metrics',
  hasLiveCounters: true,
  connections: 'fresh',
  versionPath: PROPS.path,
})

const isOnGpu = ({ options }: EngineSpec): boolean => options.gpu === 'auto'

/** As node-llama-cpp allocates it: a part of the cache for each slot, without flash attention. */
const memoryPlanOf = (spec: EngineSpec): MemoryPlan => {
  const whole = Math.ceil((spec.contextLength * spec.slots) / CONTEXT_STEP) * CONTEXT_STEP
  return {
    kind: 'allocated',
    kvTokens: whole,
    sequences: spec.slots,
    keyBytes: 2,
    valueBytes: 2,
    batchTokens: BATCH_TOKENS[isOnGpu(spec) ? 'auto' : 'off'],
    isWindowIgnored: false,
    hasFlashAttention: false,
    gpuBlocks: isOnGpu(spec) ? 'all' : 0,
    overheadBytes: isOnGpu(spec) ? GPU_OVERHEAD_BYTES : 0,
  }
}

const WEIGHTS = /^loading weights: (\d{1,3}) %$/

/** What its own log tells of a start. */
const readPhase = (line: string): LogSign | undefined => {
  const percent = WEIGHTS.exec(line)?.[1]
  if (percent !== undefined) return { kind: 'phase', phase: 'load', percent: Number(percent) }
  if (line.startsWith("loading model '")) return { kind: 'phase', phase: 'load', percent: 0 }
  return line.startsWith('model loaded, ')
    ? { kind: 'phase', phase: 'warm', percent: 100 }
    : undefined
}

const argvOf = (spec: EngineSpec, grant: LaunchGrant): string[] => {
  if (grant.modelPath === undefined) {
    const reason = 'The embedded engine reads a model file, and this pool has none. Set model.'
    throw new BerthError('CONFIG_INVALID', reason)
  }
  const { threads = 1, embeddings, ...rest } = spec.options
  return [
    ...programOf(spec, grant),
    ...['--model', grant.modelPath],
    ...['--host', grant.host],
    ...['--port', String(grant.port)],
    ...['--slots', String(spec.slots)],
    ...['--ctx', String(spec.contextLength)],
    // More threads than idle cores are a thousand times slower (engines.md 7, measured).
    ...['--threads', String(threads)],
    ...(spec.modelId === undefined ? [] : ['--alias', spec.modelId]),
    ...['--runtime-dir', grant.embeddedRuntimeDir],
    ...(embeddings === true ? ['--embeddings'] : []),
    ...Object.entries(rest).flatMap(([key, value]) => [
      `--${key.replaceAll('_', '-')}`,
      String(value),
    ]),
  ]
}

const programOf = ({ binaryPath }: EngineSpec, grant: LaunchGrant): string[] =>
  binaryPath === undefined
    ? [grant.nodePath, `${grant.enginesDir}/embedded-engine.js`]
    : [binaryPath]
