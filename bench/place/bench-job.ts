import type { JobFacts } from '@berth/orchestratord'

/** The model every pool of the bench has. */
export const MODEL = 'm'
/** What the released jobs say they took. */
export const TOKENS_IN = 1_024

/** Blocks of 2 KiB: a system prompt that all share, and what follows. */
const SYSTEM_BLOCKS = 2
const OWN_BLOCKS = 2
/** Conversations that come back. */
const TALKS = 500

/** The `n`th chat of the bench, with as much of its prompt's beginning as a gateway would tell. */
export const benchJob = (n: number): JobFacts => ({
  modelId: MODEL,
  route: '/v1/chat/completions',
  maxTokens: 64,
  promptTokens: TOKENS_IN,
  requiredCtx: TOKENS_IN + 64,
  correlationId: `bench-${n}`,
  tenant: 'bench',
  prefixChain: chainOf(n % TALKS),
})

const chainOf = (talk: number): Uint8Array => {
  const words = Uint32Array.from({ length: 2 * (SYSTEM_BLOCKS + OWN_BLOCKS) }, (_, word) => {
    const isShared = word < 2 * SYSTEM_BLOCKS
    return Math.imul((isShared ? 0 : (talk + 1) * 1_000) + word + 1, 0x9e37_79b1)
  })
  return new Uint8Array(words.buffer)
}
