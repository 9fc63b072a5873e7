import type { EngineAccess, EngineDriver, EngineSpec } from '@berth/supervision'
import { attach, bearer, checkUrl } from './attach.ts'
import { readEngineMetrics } from './prometheus-text.ts'
import { readAnswer } from './read-answer.ts'
import { readModels } from './read-models.ts'
import { isPython, vllmArgv } from './vllm-argv.ts'
import { vllmEnv } from './vllm-env.ts'
import { classifyVllm } from './vllm-failures.ts'
import { readVllmLog } from './vllm-log.ts'
import { vllmModelCalls } from './vllm-lora.ts'
import { vllmMemoryPlan } from './vllm-memory.ts'
import { checkRepository } from './vllm-model-id.ts'
import { checkVllmDevices, checkVllmOptions } from './vllm-options.ts'
import { vllmSleepCalls } from './vllm-sleep.ts'

const HEALTH = { path: '/health', timeoutMs: 5000 }
const MODELS = { path: '/v1/models', timeoutMs: 5000 }
const PYTHON_VERSION_OF = "import importlib.metadata as m; print(m.version('vllm'))"

/** vLLM 0.4 and later: `vllm serve`, or the module of a Python. One model, and adapters of it. */
export const vllmDriver: EngineDriver = {
  engine: 'vllm',
  abilities: {
    routes: ['/v1/chat/completions', '/v1/completions', '/v1/embeddings'],
    hasModelLifecycle: true,
    hasResourceMonitoring: true,
    isAbortedByDisconnect: true,
    seedField: 'seed',
    quantizations: ['fp8', 'awq', 'gptq', 'bitsandbytes', 'compressed-tensors', 'gguf'],
    // Volta, the oldest that vLLM is built for.
    minComputeCapability: 7,
    hasLora: true,
    hasSleep: true,
  },
  programs: ['vllm', 'python3', 'python'],
  versionArgv: ['--version'],
  // Without the second that importing torch takes.
  versionArgvOf: (program) => (isPython(program) ? ['-c', PYTHON_VERSION_OF] : ['--version']),
  check: (spec) => [
    ...(spec.mode === 'managed' ? checkModel(spec) : checkUrl(spec)),
    ...checkVllmOptions(spec),
  ],
  checkDevices: checkVllmDevices,
  plan: (spec, grant) => {
    if (spec.mode !== 'managed') return attach(spec, access({}))
    return {
      kind: 'process',
      argv: vllmArgv(spec, grant),
      env: vllmEnv(spec, grant),
      access: { ...access(bearer(grant.apiKey)), baseUrl: `http://${grant.host}:${grant.port}` },
      stopGraceMs: spec.shutdownGraceMs,
    }
  },
  readProbe: (probe, response, spec) =>
    probe.path === MODELS.path
      ? readModels(probe.path, response, spec)
      : readAnswer(probe.path, response, (_answer, graded) => graded),
  readMetrics: readEngineMetrics,
  readLog: readVllmLog,
  memoryPlan: vllmMemoryPlan,
  modelCalls: vllmModelCalls,
  sleepCalls: vllmSleepCalls,
  classify: classifyVllm,
}

/** It loads before it listens; then both must agree (003-FR-016, 003-FR-017). */
const access = (headers: EngineAccess['headers']): Omit<EngineAccess, 'baseUrl'> => ({
  headers,
  readyProbes: [HEALTH, MODELS],
  metricsPath: '/metrics',
  hasLiveCounters: true,
  connections: 'keep_alive',
  versionPath: '/version',
})

/** Files of this host are the agent's to check. */
const checkModel = ({ modelRef }: EngineSpec): string[] => {
  if (modelRef === undefined) return []
  const scheme = /^(ollama|https?|oci):/.exec(modelRef)?.[1]
  return scheme === undefined
    ? checkRepository(modelRef).map((problem) => `model: ${problem}`)
    : [`model: vLLM reads no ${scheme}: models; name it hf:org/name, or file:FOLDER`]
}
