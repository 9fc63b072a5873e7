import type { Usage } from './usage-tail.ts'

/** An object of JSON. */
export type Json = Readonly<Record<string, unknown>>

/** Reads what an event says as an object; undefined when it is none, as `[DONE]` is none. */
export const readObject = (data: string): Json | undefined => {
  if (!data.startsWith('{')) return undefined
  try {
    return asObject(JSON.parse(data))
  } catch {
    // Not for us to judge: whoever reads the stream sees it as it came.
    return undefined
  }
}

export const asObject = (value: unknown): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined

/** What the engine counted, in the words of OpenAI's API. */
export const usageOf = (chunk: Json): Usage | undefined => {
  const usage = asObject(chunk['usage'])
  const { prompt_tokens: tokensIn, completion_tokens: tokensOut } = usage ?? {}
  if (typeof tokensIn !== 'number') return undefined
  return { tokensIn, tokensOut: typeof tokensOut === 'number' ? tokensOut : 0 }
}
