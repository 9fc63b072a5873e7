import type { EngineAccess, EngineDriver } from '@berth/supervision'
import { attach } from './attach.ts'
import { ollamaCalls } from './ollama-calls.ts'
import { ollamaEnv } from './ollama-env.ts'
import { classifyOllama } from './ollama-failures.ts'
import { readOllamaLog } from './ollama-log.ts'
import { ollamaMemoryPlan } from './ollama-memory.ts'
import { checkOllama, OLLAMA_URL } from './ollama-options.ts'
import { readAnswer } from './read-answer.ts'
import { readObject } from './read-json.ts'

const VERSION = { path: '/api/version', timeoutMs: 5000 }

/**
 * Ollama: one daemon, many models. It is ready to load once it answers; what it can serve is told
 * by the residency of each model. Files come and go through the daemon's own store.
 */
export const ollamaDriver: EngineDriver = {
  engine: 'ollama',
  abilities: {
    // Those of its OpenAI dialect: the native ones let a client change how long a model stays.
    routes: ['/v1/chat/completions', '/v1/completions', '/v1/embeddings'],
    hasModelLifecycle: true,
    hasResourceMonitoring: true,
    isAbortedByDisconnect: true,
    seedField: 'seed',
    // As `quantization_level` of /api/tags names them.
    quantizations: [
      ...['F32', 'F16', 'BF16', 'MXFP4', 'Q8_0', 'Q6_K', 'Q5_K_M', 'Q5_K_S', 'Q5_1', 'Q5_0'],
      ...['Q4_K_M', 'Q4_K_S', 'Q4_1', 'Q4_0', 'Q3_K_L', 'Q3_K_M', 'Q3_K_S', 'Q2_K'],
    ],
    // Its CUDA libraries are built from there on (docs/gpu.md of Ollama).
    minComputeCapability: 5,
    isMultiModel: true,
  },
  check: checkOllama,
  plan: (spec, grant) => {
    if (spec.mode !== 'managed') return attach({ ...spec, url: spec.url ?? OLLAMA_URL }, ACCESS)
    return {
      kind: 'process',
      argv: [spec.binaryPath ?? 'ollama', 'serve'],
      env: ollamaEnv(spec, grant),
      access: { ...ACCESS, baseUrl: `http://${grant.host}:${grant.port}` },
      stopGraceMs: spec.shutdownGraceMs,
    }
  },
  readProbe: (probe, response) =>
    readAnswer(probe.path, response, ({ body }, graded) =>
      typeof readObject(body)?.version === 'string'
        ? graded
        : { verdict: 'unhealthy', fact: `${probe.path} tells no version: this is no Ollama` },
    ),
  // It has no counters: there is no /metrics.
  readMetrics: () => ({}),
  readLog: readOllamaLog,
  memoryPlan: ollamaMemoryPlan,
  modelCalls: ollamaCalls,
  versionArgv: ['--version'],
  classify: classifyOllama,
}

const ACCESS: Omit<EngineAccess, 'baseUrl'> = {
  // The daemon knows no keys: it is bound to loopback, and reached through the ingress.
  headers: {},
  readyProbes: [VERSION],
  connections: 'keep_alive',
  versionPath: VERSION.path,
}
