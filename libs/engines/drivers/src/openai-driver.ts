import type { EngineDriver } from '@berth/supervision'
import { attach, bearer, checkUrl } from './attach.ts'
import { checkOptions, oneOf, text, trueOrFalse } from './check-options.ts'
import { classifyLog } from './classify-log.ts'
import { readEngineMetrics } from './prometheus-text.ts'
import { readModels } from './read-models.ts'

const MODELS = { path: '/v1/models', timeoutMs: 5000 }
const OPTIONS = {
  api_key: text,
  metrics_path: text,
  /** Ask for every generation as a stream, as llama-server needs it to end with its client. */
  must_stream: trueOrFalse,
  on_disconnect: oneOf('abort', 'drain'),
}

/** Any server with an OpenAI `/v1`, at a `url`. Berth watches it and never starts it. */
export const openAiDriver: EngineDriver = {
  engine: 'openai',
  abilities: {
    routes: ['/v1/chat/completions', '/v1/completions', '/v1/embeddings'],
    hasModelLifecycle: false,
    hasResourceMonitoring: false,
    isAbortedByDisconnect: true,
    seedField: 'seed',
    quantizations: [],
    minComputeCapability: 0,
  },
  check: (spec) => [
    ...(spec.mode === 'managed'
      ? ['mode: an openai server is never started by Berth; use monitored or external']
      : []),
    ...checkUrl(spec),
    ...checkOptions(spec, OPTIONS),
  ],
  plan: (spec) => {
    const { api_key: apiKey, metrics_path: metricsPath, must_stream: mustStream } = spec.options
    return attach(spec, {
      headers: bearer(typeof apiKey === 'string' ? apiKey : ''),
      readyProbes: [MODELS],
      // Some such servers close sockets unannounced after a stream (llama-server, measured).
      connections: 'fresh',
      ...(typeof metricsPath === 'string' ? { metricsPath } : {}),
      ...(mustStream === true ? { mustStream } : {}),
      ...(spec.options.on_disconnect === 'drain' ? { onDisconnect: 'drain' } : {}),
    })
  },
  readProbe: (probe, response, spec) => readModels(probe.path, response, spec),
  readMetrics: readEngineMetrics,
  classify: classifyLog,
}
