import { chatPrompt, type ChatMessage } from '@berth/sim-text'
import type { Json } from './dialect.ts'
import type { Ask } from './job.ts'

/** What every OpenAI-shaped generation request says besides its prompt. */
export const askOf = (body: Json, model: string, prompt: string): Ask => ({
  model,
  prompt,
  seed: numberOf(body.seed) ?? 0,
  maxTokens: limitOf(body.max_completion_tokens ?? body.max_tokens ?? body.n_predict),
  ignoresEos: body.ignore_eos === true,
  isStream: body.stream === true,
  includesUsage: (body.stream_options as Json | undefined)?.include_usage === true,
  stops: stopsOf(body.stop),
})

/** One text, or up to four. */
const stopsOf = (stop: unknown): readonly string[] =>
  (Array.isArray(stop) ? stop : [stop])
    .filter((each): each is string => typeof each === 'string' && each !== '')
    .slice(0, 4)

/** The prompt of a chat body, or undefined when `messages` is not a list. */
export const chatPromptOf = (body: Json): string | undefined =>
  Array.isArray(body.messages) ? chatPrompt(body.messages as ChatMessage[]) : undefined

/** The prompt of a completion body, or undefined: one text, alone or in a list. */
export const completionPromptOf = (body: Json): string | undefined => {
  const { prompt } = body
  if (typeof prompt === 'string') return prompt
  if (!Array.isArray(prompt) || prompt.length !== 1) return undefined
  return typeof prompt[0] === 'string' ? prompt[0] : undefined
}

/** The texts of an embeddings body, or undefined when `input` is neither text nor a list of it. */
export const embeddingInputsOf = (body: Json): readonly string[] | undefined => {
  const inputs = typeof body.input === 'string' ? [body.input] : body.input
  if (!Array.isArray(inputs)) return undefined
  return inputs.every((input) => typeof input === 'string') ? inputs : undefined
}

export const numberOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined

/** Negative means no limit to llama.cpp and ollama. */
export const limitOf = (value: unknown): number | undefined => {
  const limit = numberOf(value)
  return limit === undefined || limit < 0 ? undefined : Math.floor(limit)
}
