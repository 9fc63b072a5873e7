import { loadOf, type Engine } from './engine.ts'

/** The families of vLLM's `/metrics` that readers use, under the names of its V1 engine. */
export const vllmMetrics = (engine: Engine): string => {
  const { counters, knobs } = engine
  const { running, waiting } = loadOf(engine)
  const labels = `engine="0",model_name="${knobs.model}"`
  const family = (name: string, kind: 'gauge' | 'counter', value: number, label = '') =>
    `# HELP vllm:${name} ${name}\n# TYPE vllm:${name} ${kind}\n` +
    `vllm:${name}${kind === 'counter' ? '_total' : ''}{${labels}${label}} ${value.toFixed(1)}\n`
  const ended = (reason: string, value: number) =>
    `vllm:request_success_total{engine="0",finished_reason="${reason}",` +
    `model_name="${knobs.model}"} ${value.toFixed(1)}\n`
  return [
    family('num_requests_running', 'gauge', running),
    family('num_requests_waiting', 'gauge', waiting),
    family('kv_cache_usage_perc', 'gauge', Math.min(1, running / Math.max(1, knobs.slots))),
    family('num_preemptions', 'counter', 0),
    family('prompt_tokens', 'counter', counters.promptTokens),
    family('generation_tokens', 'counter', counters.sentTokens),
    '# HELP vllm:request_success request_success\n# TYPE vllm:request_success counter\n',
    ended('stop', counters.stopped),
    ended('length', counters.lengthened),
    ended('abort', counters.aborted),
  ].join('')
}
