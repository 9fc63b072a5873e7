import { hashText, mix } from './hash.ts'
import { countTokens } from './prompt.ts'
import { WORDS } from './words.ts'

/** All that an answer of the simulator depends on. */
export interface AnswerRequest {
  /** `--seed` of the engine process. */
  readonly engineSeed: number
  /** `seed` of the request; 0 when it has none. */
  readonly requestSeed?: number | undefined
  /** The prompt as text: `chatPrompt(messages)` for a chat. */
  readonly prompt: string
  /** `max_tokens` (or `max_completion_tokens`, `n_predict`, `num_predict`); none = no limit. */
  readonly maxTokens?: number | undefined
  /** Runs to `maxTokens` without a natural stop, as `ignore_eos` of vLLM and llama.cpp. */
  readonly ignoresEos?: boolean | undefined
  /** Tokens of context (`--ctx`); prompt and answer share them. */
  readonly contextTokens?: number | undefined
}

/** What will be answered, known before the first token is sent. */
export interface Answer {
  /** Tokens that will be sent. */
  readonly length: number
  readonly finishReason: 'stop' | 'length'
  /** The text of token `index`; the first has no leading space. */
  tokenAt(index: number): string
}

const SHORTEST = 20
const SPREAD = 180

/**
 * Plans an answer. Token `index` is a function of (engine seed, request seed, prompt, index) and
 * of nothing else: two engines with one seed answer alike, and the first tokens of an answer do
 * not depend on `maxTokens`. A natural stop comes after 20 to 199 tokens.
 */
export const expectedAnswer = (request: AnswerRequest): Answer => {
  const key = mix(hashText(request.prompt, mix(request.engineSeed)) ^ mix(request.requestSeed ?? 0))
  const natural = request.ignoresEos === true ? Infinity : SHORTEST + (mix(key ^ 0xe05) % SPREAD)
  const context = request.contextTokens ?? 32768
  const room = Math.max(1, context - countTokens(request.prompt))
  const limit = Math.min(request.maxTokens ?? Infinity, room)
  return {
    length: Math.min(natural, limit),
    finishReason: natural <= limit ? 'stop' : 'length',
    tokenAt: (index) => (index === 0 ? '' : ' ') + WORDS[mix(key ^ mix(index)) % WORDS.length]!,
  }
}

/** The whole text of an answer. */
export const expectedText = (request: AnswerRequest): string => {
  const answer = expectedAnswer(request)
  return Array.from({ length: answer.length }, (_, i) => answer.tokenAt(i)).join('')
}
