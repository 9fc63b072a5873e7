import { BerthError } from '@berth/kernel'
import type { EngineAccess, EngineDriver, EngineSpec, LaunchGrant } from '@berth/supervision'
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
    routes: ['/v1/chat/completions', '/v1/completions', '/v1/embeddings'],
    hasModelLifecycle: true,
    hasResourceMonitoring: true,
    isAbortedByDisconnect: true,
    seedField: 'seed',
    quantizations: ['F32', 'F16', 'BF16', 'Q8_0', 'Q6_K', 'Q5_K_M', 'Q5_0', 'Q4_K_M', 'Q4_0'],
    minComputeCapability: 0,
  },
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
  classify: classifyLog,
}

const access = (headers: EngineAccess['headers']): Omit<EngineAccess, 'baseUrl'> => ({
  headers,
  readyProbes: [HEALTH, MODELS, PROPS],
  metricsPath: '/metrics',
  hasLiveCounters: true,
  connections: 'fresh',
})

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
