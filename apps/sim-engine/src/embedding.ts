import { countTokens, expectedAnswer } from '@berth/sim-text'

const DIMENSIONS = 16

/** A vector that depends on (engine seed, text) alone; each number is in [-1, 1). */
export const embed = (engineSeed: number, text: string): number[] => {
  const answer = expectedAnswer({ engineSeed, prompt: text })
  return Array.from({ length: DIMENSIONS }, (_, i) => {
    const word = answer.tokenAt(i).trim()
    return ((word.codePointAt(0) ?? 0) % 200) / 100 - 1
  })
}

/** The OpenAI body for a list of texts. */
export const embeddingsBody = (engineSeed: number, model: string, inputs: readonly string[]) => {
  const tokens = inputs.reduce((sum, input) => sum + countTokens(input), 0)
  return {
    object: 'list',
    model,
    data: inputs.map((input, index) => ({
      object: 'embedding',
      index,
      embedding: embed(engineSeed, input),
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  }
}
