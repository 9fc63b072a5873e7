import { z } from 'zod'
import type { ChatItem } from './llama-runtime.ts'

/** A completion as the client asked for it, checked, with llama-server's defaults filled in. */
export interface CompletionRequest {
  readonly prompt:
    | { readonly kind: 'chat'; readonly items: readonly ChatItem[] }
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'tokens'; readonly tokens: readonly number[] }
  readonly isStream: boolean
  readonly hasUsageChunk: boolean
  readonly maxTokens: number | undefined
  readonly temperature: number
  readonly topP: number
  readonly topK: number
  readonly minP: number
  readonly seed: number | undefined
  readonly stopTexts: readonly string[]
  readonly isNeverEnding: boolean
}

export type Read<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string }

/** Reads the body of `/v1/chat/completions`. */
export const readChatRequest = (body: unknown): Read<CompletionRequest> =>
  read(chatSchema, body, ({ messages, ...rest }) => ({
    ...settingsOf(rest),
    prompt: { kind: 'chat', items: messages.map(toChatItem) },
  }))

/** Reads the body of `/v1/completions`. */
export const readTextRequest = (body: unknown): Read<CompletionRequest> =>
  read(textSchema, body, ({ prompt, ...rest }) => ({
    ...settingsOf(rest),
    prompt:
      typeof prompt === 'string'
        ? { kind: 'text', text: prompt }
        : typeof prompt[0] === 'string'
          ? { kind: 'text', text: prompt[0] }
          : { kind: 'tokens', tokens: prompt as readonly number[] },
  }))

const MAX_STOPS = 32
const unsupported = 'is not supported by this engine'

const settings = {
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  max_tokens: z.int().nullish(),
  max_completion_tokens: z.int().nullish(),
  n_predict: z.int().nullish(),
  temperature: z.number().min(0).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.int().nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(MAX_STOPS)]).nullish(),
  ignore_eos: z.boolean().nullish(),
  n: z.literal(1, `above 1 ${unsupported}`).nullish(),
  tools: z.array(z.unknown()).max(0, unsupported).nullish(),
  logprobs: z.union([z.literal(false), z.literal(0)], unsupported).nullish(),
  response_format: z.object({ type: z.literal('text', unsupported) }).nullish(),
}

const content = z.union([
  z.string(),
  z.array(z.object({ type: z.literal('text'), text: z.string() })).transform(joinParts),
])
const message = z.discriminatedUnion('role', [
  z.object({ role: z.enum(['system', 'developer', 'user']), content }),
  z.object({ role: z.literal('assistant'), content: content.nullish() }),
])
const chatSchema = z.object({ ...settings, messages: z.array(message).min(1) })
const textSchema = z.object({
  ...settings,
  prompt: z.union(
    [z.string(), z.array(z.string()).length(1), z.array(z.int().min(0)).min(1)],
    'must be a text, one text in an array, or an array of token ids',
  ),
})

function joinParts(parts: readonly { readonly text: string }[]): string {
  return parts.map(({ text }) => text).join('')
}

const toChatItem = (item: z.infer<typeof message>): ChatItem => {
  switch (item.role) {
    case 'system':
    case 'developer':
      return { type: 'system', text: item.content }
    case 'user':
      return { type: 'user', text: item.content }
    case 'assistant':
      return { type: 'model', response: [item.content ?? ''] }
  }
}

type Settings = z.infer<z.ZodObject<typeof settings>>

const settingsOf = (body: Settings): Omit<CompletionRequest, 'prompt'> => {
  const limit = body.max_tokens ?? body.max_completion_tokens ?? body.n_predict ?? -1
  return {
    isStream: body.stream ?? false,
    hasUsageChunk: body.stream_options?.include_usage ?? false,
    maxTokens: limit < 0 ? undefined : limit,
    temperature: body.temperature ?? 0.8,
    topP: body.top_p ?? 0.95,
    topK: body.top_k ?? 40,
    minP: body.min_p ?? 0.05,
    seed: body.seed === -1 ? undefined : (body.seed ?? undefined),
    stopTexts: [body.stop ?? []].flat().filter((stop) => stop !== ''),
    isNeverEnding: body.ignore_eos ?? false,
  }
}

const read = <S extends z.ZodType, T>(
  schema: S,
  body: unknown,
  convert: (parsed: z.infer<S>) => T,
): Read<T> => {
  const parsed = schema.safeParse(body)
  if (parsed.success) return { ok: true, value: convert(parsed.data) }
  const issue = parsed.error.issues[0]!
  return { ok: false, problem: `'${issue.path.join('.')}': ${issue.message}` }
}
