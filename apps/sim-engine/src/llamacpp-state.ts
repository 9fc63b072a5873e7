import type { Json } from './dialect.ts'
import { loadOf, type Engine } from './engine.ts'

/** `GET /slots`: an idle slot says little, a busy one what it works on. */
export const slotsBody = (engine: Engine): Json[] => {
  const busy = new Map([...engine.jobs].map((job) => [job.slot, job]))
  return Array.from({ length: engine.knobs.slots }, (_, id) => {
    const job = busy.get(id)
    const slot = { id, n_ctx: engine.knobs.ctx, speculative: false }
    if (job === undefined) return { ...slot, is_processing: false }
    const decoded = job.record.tokens_sent
    return {
      ...slot,
      is_processing: true,
      id_task: job.record.seq,
      n_prompt_tokens: job.promptTokens,
      n_prompt_tokens_processed: job.promptTokens,
      n_prompt_tokens_cache: 0,
      params: { seed: job.ask.seed, stream: job.ask.isStream, n_predict: job.ask.maxTokens ?? -1 },
      next_token: [{ n_decoded: decoded, n_remain: job.answer.length - decoded }],
    }
  })
}

export const propsBody = (engine: Engine): Json => ({
  default_generation_settings: { params: { seed: 4294967295 }, n_ctx: engine.knobs.ctx },
  total_slots: engine.knobs.slots,
  model_path: engine.knobs.model,
  model_alias: engine.knobs.model,
  modalities: { vision: false, audio: false },
  chat_template: '',
  endpoint_slots: true,
  endpoint_props: false,
  endpoint_metrics: engine.knobs.hasMetrics,
  build_info: 'b10488-de3ff81',
  is_sleeping: false,
})

/** `/metrics` of llama-server. Its token counters move when a request ends, not before. */
export const llamacppMetrics = (engine: Engine): string => {
  const { counters } = engine
  const { running, waiting } = loadOf(engine)
  const live = [...engine.jobs].filter((job) => job.record.outcome === 'running')
  const unfinished = live.reduce((sum, job) => sum + job.record.tokens_sent, 0)
  const unfinishedPrompts = live.reduce((sum, job) => sum + job.promptTokens, 0)
  const family = (name: string, kind: string, value: number) =>
    `# HELP llamacpp:${name} ${name}\n# TYPE llamacpp:${name} ${kind}\nllamacpp:${name} ${value}\n`
  return [
    family('prompt_tokens_total', 'counter', counters.promptTokens - unfinishedPrompts),
    family('tokens_predicted_total', 'counter', counters.sentTokens - unfinished),
    family('n_decode_total', 'counter', counters.sentTokens),
    family('requests_processing', 'gauge', running),
    family('requests_deferred', 'gauge', waiting),
  ].join('')
}
