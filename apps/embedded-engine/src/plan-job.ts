import type { Job } from './generate.ts'
import type { Token } from './llama-runtime.ts'
import type { Engine } from './load-engine.ts'
import type { CompletionRequest } from './read-completion.ts'

export type Planned =
  | { readonly kind: 'job'; readonly job: Job }
  | { readonly kind: 'too_long'; readonly promptTokens: number }
  | { readonly kind: 'bad_tokens' }

/**
 * Turns a request into tokens and limits. `randomSeed` (unsigned, 32 bits) is for requests that
 * name none.
 */
export const planJob = (
  engine: Engine,
  request: CompletionRequest,
  randomSeed: () => number,
): Planned => {
  const { tokens, stops } = readPrompt(engine, request.prompt)
  if (tokens.some((token) => token >= vocabularySize(engine))) return { kind: 'bad_tokens' }
  const room = engine.contextTokens - tokens.length
  if (room < 1) return { kind: 'too_long', promptTokens: tokens.length }
  const { temperature, topK, topP, minP } = request
  return {
    kind: 'job',
    job: {
      prompt: tokens,
      // llama-server evaluates the prompt for 0 and answers one token.
      maxTokens: Math.max(1, Math.min(room, request.maxTokens ?? room)),
      sampling: { temperature, topK, topP, minP, seed: (request.seed ?? randomSeed()) >>> 0 },
      stopTexts: [...request.stopTexts, ...stops.texts],
      stopTokens: stops.tokens,
      isNeverEnding: request.isNeverEnding,
    },
  }
}

/** How many tokens the model knows. */
export const vocabularySize = ({ model }: Engine): number =>
  model.fileInfo.metadata.tokenizer?.ggml?.tokens?.length ?? 0

interface Stops {
  readonly texts: readonly string[]
  readonly tokens: ReadonlySet<Token>
}

const NO_STOPS: Stops = { texts: [], tokens: new Set() }

const readPrompt = (
  engine: Engine,
  prompt: CompletionRequest['prompt'],
): { readonly tokens: readonly Token[]; readonly stops: Stops } => {
  const { model } = engine
  switch (prompt.kind) {
    case 'chat': {
      const isContinued = prompt.items.at(-1)?.type === 'model'
      const { contextText, stopGenerationTriggers } = engine.chat.generateContextState({
        chatHistory: isContinued
          ? prompt.items
          : [...prompt.items, { type: 'model', response: [] }],
      })
      const triggers = stopGenerationTriggers.map((trigger) => ({
        text: trigger.toString(),
        tokens: trigger.tokenize(model.tokenizer),
      }))
      // A trigger of one token ends the answer by its id: control tokens have no text.
      const single = triggers.filter(({ tokens }) => tokens.length === 1)
      const texts = triggers.filter(({ tokens, text }) => tokens.length > 1 && text !== '')
      return {
        tokens: contextText.tokenize(model.tokenizer),
        stops: {
          texts: texts.map(({ text }) => text),
          tokens: new Set(single.map(({ tokens }) => tokens[0]!)),
        },
      }
    }
    case 'text': {
      const tokens = model.tokenize(prompt.text, true)
      const bos = model.tokens.shouldPrependBosToken ? model.tokens.bos : null
      const isMissing = bos !== null && tokens[0] !== bos
      return { tokens: isMissing ? [bos, ...tokens] : tokens, stops: NO_STOPS }
    }
    case 'tokens':
      return { tokens: prompt.tokens, stops: NO_STOPS }
  }
}
