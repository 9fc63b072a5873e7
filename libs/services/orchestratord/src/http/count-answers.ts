type Json = Readonly<Record<string, unknown>>

/** More than these are more than any engine gives; a product of two fits its field. */
const ANSWERS_MAX = 4_096

/**
 * How many answers a body asks for: `n`, or `best_of` of which the best are sent, for each of its
 * prompts. Each may be as long as `max_tokens`, and budgets are charged for all.
 */
export const countAnswers = (route: string, { n, best_of, prompt }: Json): number => {
  const prompts = route === '/v1/completions' ? countPrompts(prompt) : 1
  return Math.min(ANSWERS_MAX, prompts * Math.max(1, toCount(n), toCount(best_of)))
}

/** One text, one list of token ids, or a list of either. */
const countPrompts = (prompt: unknown): number =>
  Array.isArray(prompt) && typeof prompt[0] !== 'number' ? Math.max(1, prompt.length) : 1

const toCount = (value: unknown): number => (Number.isInteger(value) ? (value as number) : 1)
