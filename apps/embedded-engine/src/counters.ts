import type { Generated } from './generate.ts'
import type { Slots } from './slots.ts'

/** What the engine has done since it started, for `/metrics`. */
export interface Counters {
  add(generated: Generated): void
  /** Prometheus text with the names of llama-server. */
  text(slots: Slots): string
}

export const createCounters = (): Counters => {
  const total = { prompt: 0, promptMs: 0, predicted: 0, predictedMs: 0, largest: 0 }
  return {
    add: ({ promptTokens, completionTokens, promptMs, decodeMs }) => {
      total.prompt += promptTokens
      total.promptMs += promptMs
      total.predicted += completionTokens
      total.predictedMs += decodeMs
      total.largest = Math.max(total.largest, promptTokens + completionTokens)
    },
    text: (slots) =>
      [
        counter('prompt_tokens_total', 'Prompt tokens processed.', total.prompt),
        counter('prompt_seconds_total', 'Seconds spent on prompts.', total.promptMs / 1000),
        counter('tokens_predicted_total', 'Tokens generated.', total.predicted),
        counter(
          'tokens_predicted_seconds_total',
          'Seconds spent on generation.',
          total.predictedMs / 1000,
        ),
        counter('n_tokens_max', 'Most tokens one request has held.', total.largest),
        gauge(
          'prompt_tokens_seconds',
          'Prompt tokens per second.',
          rate(total.prompt, total.promptMs),
        ),
        gauge(
          'predicted_tokens_seconds',
          'Generated tokens per second.',
          rate(total.predicted, total.predictedMs),
        ),
        gauge('tokens_in_progress', 'Tokens evaluated for requests that run.', inProgress(slots)),
        gauge('requests_processing', 'Requests in a slot.', slots.busyCount),
        gauge('requests_deferred', 'Requests waiting for a slot.', slots.waitingCount),
      ].join(''),
  }
}

/** Moves with every token and every chunk of a prompt, so that a request at work is seen. */
const inProgress = (slots: Slots): number =>
  slots.all.reduce(
    (sum, { task }) => sum + (task ? task.promptTokensDone + task.decodedTokens : 0),
    0,
  )

const rate = (count: number, ms: number): number => (ms > 0 ? (count / ms) * 1000 : 0)

const series = (kind: string) => (name: string, help: string, value: number) =>
  `# HELP llamacpp:${name} ${help}\n# TYPE llamacpp:${name} ${kind}\nllamacpp:${name} ${value}\n`
const counter = series('counter')
const gauge = series('gauge')
