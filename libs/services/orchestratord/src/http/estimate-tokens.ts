import type { Prompt } from './prompt.ts'

/** English text has about four bytes a token with the tokenizers in use. */
const BYTES_PER_TOKEN = 4
/** What OpenAI counts for a photo of 1024 x 1024; other engines take between 250 and 3,000. */
const TOKENS_PER_IMAGE = 765

/**
 * Tokens of a prompt, for predictions and budgets; too rough to refuse a request by. Where the
 * prompt is not known, from the size of the body.
 */
export const estimateTokens = (
  prompt: Prompt | undefined,
  promptBytes: number | undefined,
  bodyBytes: number,
): number =>
  prompt === undefined || promptBytes === undefined
    ? Math.ceil(bodyBytes / BYTES_PER_TOKEN)
    : Math.ceil(promptBytes / BYTES_PER_TOKEN) + prompt.images * TOKENS_PER_IMAGE
