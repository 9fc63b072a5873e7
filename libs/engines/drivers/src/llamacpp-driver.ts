import { BerthError } from '@berth/kernel'
import type { EngineAccess, EngineDriver, EngineSpec, LaunchGrant } from '@berth/supervision'
import { attach, bearer, checkUrl } from './attach.ts'
import { classifyLlamacpp } from './llamacpp-crash.ts'
import { checkSplit, deviceFlags } from './llamacpp-devices.ts'
import { readLlamacppLog } from './llamacpp-log.ts'
import { contextOf, llamacppMemory } from './llamacpp-memory.ts'
import {
  checkLlamacppOptions,
  isQuantised,
  KV_BLOCK,
  kvTypesOf,
  optionFlags,
} from './llamacpp-options.ts'
import { readEngineMetrics } from './prometheus-text.ts'
import { readAnswer } from './read-answer.ts'
import { readModels } from './read-models.ts'
import { readSlots } from './read-slots.ts'

const HEALTH = { path: '/health', timeoutMs: 5000 }
const MODELS = { path: '/v1/models', timeoutMs: 5000 }
const PROPS = { path: '/props', timeoutMs: 5000 }
const PROGRAM = 'llama-server'
const MAX_SLOTS = 256
/** It counts tokens with 32 bits. */
const MAX_CONTEXT = 2_147_483_647
const GENERATION = ['/v1/chat/completions', '/v1/completions', '/v1/responses', '/v1/messages']

/** llama.cpp's own `llama-server`: one GGUF model per process. */
export const llamacppDriver: EngineDriver = {
  engine: 'llamacpp',
  abilities: {
    routes: [...GENERATION, '/v1/embeddings', '/v1/rerank'],
    hasModelLifecycle: true,
    hasResourceMonitoring: true,
    isAbortedByDisconnect: true,
    seedField: 'seed',
    quantizations: [
      ...['F32', 'F16', 'BF16', 'Q8_0', 'Q6_K', 'Q5_K_M', 'Q5_K_S', 'Q5_1', 'Q5_0', 'Q4_K_M'],
      ...['Q4_K_S', 'Q4_1', 'Q4_0', 'Q3_K_L', 'Q3_K_M', 'Q3_K_S', 'Q2_K', 'IQ4_XS', 'IQ4_NL'],
      ...['IQ3_M', 'IQ3_XS', 'IQ2_M', 'IQ2_XS', 'IQ1_M', 'MXFP4'],
    ],
    minComputeCapability: 0,
  },
  routes: ({ options, mode }) => [
    ...GENERATION,
    ...(mode !== 'managed' || options.embeddings === true ? ['/v1/embeddings'] : []),
    ...(mode !== 'managed' || options.reranking === true ? ['/v1/rerank'] : []),
  ],
  check: (spec) => [
    ...(spec.mode === 'managed' ? [] : checkUrl(spec)),
    ...(spec.slots > MAX_SLOTS ? [`slots: at most ${MAX_SLOTS} on llama-server`] : []),
    ...(contextOf(spec) > MAX_CONTEXT
      ? [`context_length: times ${spec.slots} slots is more than ${MAX_CONTEXT} tokens`]
      : []),
    ...(spec.modelId?.includes(',') === true
      ? ['model_id: llama-server takes a comma for the end of a name']
      : []),
    ...checkLlamacppOptions(spec),
  ],
  plan: (spec, grant) => {
    if (spec.mode !== 'managed') {
      const { api_key: key } = spec.options
      return attach(spec, access(bearer(typeof key === 'string' ? key : '')))
    }
    return {
      kind: 'process',
      argv: argvOf(spec, grant),
      env: { LLAMA_API_KEY: grant.apiKey },
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
  readLog: readLlamacppLog,
  memoryPlan: llamacppMemory,
  programs: [PROGRAM],
  versionArgv: ['--version'],
  checkDevices: checkSplit,
  classify: classifyLlamacpp,
}

/**
 * Its token counters move when a request ends, so they prove no hang (`hasLiveCounters`). It sees
 * that a client left only while it streams, and closes sockets unannounced (measured).
 */
const access = (headers: EngineAccess['headers']): Omit<EngineAccess, 'baseUrl'> => ({
  headers,
  readyProbes: [HEALTH, MODELS, PROPS],
  metricsPath: '/metrics',
  connections: 'fresh',
  mustStream: true,
  versionPath: PROPS.path,
})

const argvOf = (spec: EngineSpec, grant: LaunchGrant): string[] => {
  if (grant.modelPath === undefined) {
    const reason = 'llama-server reads a model file, and this pool has none. Set model.'
    throw new BerthError('CONFIG_INVALID', reason)
  }
  checkHeads(spec, grant)
  return [
    spec.binaryPath ?? grant.program ?? PROGRAM,
    ...['--model', grant.modelPath],
    ...['--host', grant.host],
    ...['--port', String(grant.port)],
    ...(spec.modelId === undefined ? [] : ['--alias', spec.modelId]),
    ...['-c', String(contextOf(spec))],
    ...['-np', String(spec.slots)],
    ...deviceFlags(spec, grant),
    // What does not fit is to fail, not to serve a shorter context than the pool promises.
    ...['-fit', 'off'],
    ...optionFlags(spec),
    ...['--metrics', '--slots', '--no-webui', '--offline'],
    // Comments in a silent stream would pass for progress.
    ...['--sse-ping-interval', '-1'],
    // Buffer sizes are printed from verbosity 4 on.
    ...['-lv', '4', '--log-colors', 'off'],
  ]
}

/** What llama-server says after it has read the weights, said before. */
const checkHeads = ({ options }: EngineSpec, { modelFacts }: LaunchGrant): void => {
  const { dimensions } = modelFacts ?? {}
  if (dimensions === undefined || dimensions.latentDim > 0) return
  const { keys, values } = kvTypesOf(options)
  const misfit = [
    { key: 'cache_type_k', type: keys, dim: dimensions.keyDim },
    { key: 'cache_type_v', type: values, dim: dimensions.valueDim },
  ].find(({ type, dim }) => isQuantised(type) && dim % KV_BLOCK !== 0)
  if (misfit === undefined) return
  throw new BerthError(
    'CONFIG_INVALID',
    `engine_options.${misfit.key}: ${misfit.type} keeps blocks of ${KV_BLOCK} numbers, and a head ` +
      `of this model has ${misfit.dim}. Use f16 or bf16.`,
  )
}
