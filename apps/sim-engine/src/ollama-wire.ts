import type { Json } from './dialect.ts'
import type { Job } from './job.ts'
import type { WireFormat } from './serve-generation.ts'

/** NDJSON of `/api/generate` (`response`) and `/api/chat` (`message`). */
export const nativeFormat = (field: 'response' | 'message'): WireFormat => {
  const textOf = (text: string): Json =>
    field === 'response' ? { response: text } : { message: { role: 'assistant', content: text } }
  const head = (job: Job) => ({ model: job.ask.model, created_at: new Date().toISOString() })
  return {
    contentType: 'application/x-ndjson',
    hasEarlyHeaders: false,
    first: () => '',
    token: (job, text) => `${JSON.stringify({ ...head(job), ...textOf(text), done: false })}\n`,
    last: (job) => `${JSON.stringify({ ...head(job), ...textOf(''), ...ending(job) })}\n`,
    whole: (job, text) => ({ ...head(job), ...textOf(text), ...ending(job) }),
  }
}

const nanoseconds = (ms: number): number => Math.max(1, Math.round(ms * 1e6))

const ending = (job: Job): Json => {
  const now = performance.now()
  const firstAt = job.firstTokenAtMs ?? now
  return {
    done: true,
    done_reason: job.answer.finishReason,
    total_duration: nanoseconds(now - job.arrivedAtMs),
    load_duration: 1,
    prompt_eval_count: job.promptTokens,
    prompt_eval_duration: nanoseconds(firstAt - job.arrivedAtMs),
    eval_count: job.record.tokens_sent,
    eval_duration: nanoseconds(now - firstAt),
  }
}
