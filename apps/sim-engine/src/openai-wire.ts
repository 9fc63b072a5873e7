import type { Json } from './dialect.ts'
import type { Job } from './job.ts'
import type { WireFormat } from './serve-generation.ts'

/** Where the engines differ in the OpenAI dialect. */
export interface OpenAiManners {
  readonly contentType: string
  readonly hasEarlyHeaders: boolean
  readonly idOf: (job: Job, kind: 'chat' | 'text') => string
  /** Fields of every body and chunk, such as `system_fingerprint`. */
  readonly envelope: Json
  /** `content` of the first chat chunk. */
  readonly firstContent: string | null
  /** Fields of a choice besides index, text and finish reason. */
  readonly choice: Json
  /** Fields of the last chunk and of a whole body, such as `timings`. */
  readonly ending: (job: Job) => Json
  readonly usage: Json
  readonly message: Json
}

const event = (body: unknown): string => `data: ${JSON.stringify(body)}\n\n`

export const chatFormat = (manners: OpenAiManners): WireFormat => {
  const chunk = (job: Job, delta: Json, finish: string | null, extra: Json = {}) =>
    event({
      ...headOf(manners, job, 'chat', 'chat.completion.chunk'),
      choices: [{ index: 0, delta, ...manners.choice, finish_reason: finish }],
      ...extra,
    })
  return {
    ...manners,
    first: (job) => chunk(job, { role: 'assistant', content: manners.firstContent }, null),
    token: (job, text) => chunk(job, { content: text }, null),
    last: (job) =>
      chunk(job, {}, job.answer.finishReason, job.ask.includesUsage ? {} : manners.ending(job)) +
      usageChunk(manners, job, 'chat', 'chat.completion.chunk') +
      'data: [DONE]\n\n',
    whole: (job, text) => ({
      ...headOf(manners, job, 'chat', 'chat.completion'),
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: text, ...manners.message },
          ...manners.choice,
          finish_reason: job.answer.finishReason,
        },
      ],
      usage: usageOf(manners, job),
      ...manners.ending(job),
    }),
  }
}

export const completionFormat = (manners: OpenAiManners): WireFormat => {
  const body = (job: Job, text: string, finish: string | null): Json => ({
    ...headOf(manners, job, 'text', 'text_completion'),
    choices: [{ index: 0, text, ...manners.choice, finish_reason: finish }],
  })
  return {
    ...manners,
    first: () => '',
    token: (job, text) => event(body(job, text, null)),
    last: (job) =>
      event({
        ...body(job, '', job.answer.finishReason),
        ...(job.ask.includesUsage ? {} : manners.ending(job)),
      }) +
      usageChunk(manners, job, 'text', 'text_completion') +
      'data: [DONE]\n\n',
    whole: (job, text) => ({
      ...body(job, text, job.answer.finishReason),
      usage: usageOf(manners, job),
      ...manners.ending(job),
    }),
  }
}

const headOf = (manners: OpenAiManners, job: Job, kind: 'chat' | 'text', object: string): Json => ({
  id: manners.idOf(job, kind),
  object,
  created: job.createdS,
  model: job.ask.model,
  ...manners.envelope,
})

const usageChunk = (
  manners: OpenAiManners,
  job: Job,
  kind: 'chat' | 'text',
  object: string,
): string =>
  job.ask.includesUsage
    ? event({
        ...headOf(manners, job, kind, object),
        choices: [],
        usage: usageOf(manners, job),
        ...manners.ending(job),
      })
    : ''

const usageOf = (manners: OpenAiManners, job: Job): Json => ({
  prompt_tokens: job.promptTokens,
  completion_tokens: job.record.tokens_sent,
  total_tokens: job.promptTokens + job.record.tokens_sent,
  ...manners.usage,
})
