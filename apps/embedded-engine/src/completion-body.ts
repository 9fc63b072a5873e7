import type { Generated } from './generate.ts'

/** Builds the bodies of one answer, whole or in chunks, of `/v1/chat/completions` or the other. */
export interface CompletionBody {
  whole(text: string, generated: Generated): unknown
  first(): unknown
  delta(text: string): unknown
  last(generated: Generated): unknown
  usage(generated: Generated): unknown
}

export interface AnswerIdentity {
  readonly id: string
  /** Seconds since the Unix epoch. */
  readonly created: number
  readonly model: string
}

export const chatBody = ({ id, created, model }: AnswerIdentity): CompletionBody => {
  const head = { id: `chatcmpl-${id}`, created, model }
  const chunk = (choices: unknown[]) => ({ ...head, object: 'chat.completion.chunk', choices })
  const choice = (delta: object, finishReason: string | null = null) =>
    chunk([{ index: 0, delta, finish_reason: finishReason }])
  return {
    whole: (content, generated) => ({
      ...head,
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content },
          finish_reason: generated.finishReason,
        },
      ],
      ...measured(generated),
    }),
    first: () => choice({ role: 'assistant', content: null }),
    delta: (content) => choice({ content }),
    last: (generated) => choice({}, generated.finishReason),
    usage: (generated) => ({ ...chunk([]), ...measured(generated) }),
  }
}

export const textBody = ({ id, created, model }: AnswerIdentity): CompletionBody => {
  const head = { id: `cmpl-${id}`, object: 'text_completion', created, model }
  const choice = (text: string, finishReason: string | null = null) => ({
    ...head,
    choices: [{ index: 0, text, logprobs: null, finish_reason: finishReason }],
  })
  return {
    whole: (text, generated) => ({
      ...choice(text, generated.finishReason),
      ...measured(generated),
    }),
    first: () => undefined,
    delta: (text) => choice(text),
    last: (generated) => choice('', generated.finishReason),
    usage: (generated) => ({ ...head, choices: [], ...measured(generated) }),
  }
}

const measured = ({ promptTokens, completionTokens, promptMs, decodeMs }: Generated) => ({
  usage: {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: 0 },
  },
  timings: {
    cache_n: 0,
    prompt_n: promptTokens,
    prompt_ms: promptMs,
    prompt_per_second: perSecond(promptTokens, promptMs),
    predicted_n: completionTokens,
    predicted_ms: decodeMs,
    predicted_per_second: perSecond(completionTokens, decodeMs),
  },
})

const perSecond = (count: number, ms: number): number => (ms > 0 ? (count / ms) * 1000 : 0)
