import type { Fleet } from '@berth/test-support'

/** What a client of a strict stream is told and gets. */
export interface StrictAnswer {
  readonly status: number
  readonly pool: string | null
  /** Of `X-Berth-Seed`: what core minted. */
  readonly mintedSeed: string | null
  /** The content of all chunks, one after the other, as the bytes that came. */
  readonly content: Uint8Array
}

const STRICT = { 'x-determinism': 'strict' }

/** Streams an answer of 16 tokens that chance decides, so that only a seed can repeat it. */
export const streamStrictly = async (
  fleet: Fleet,
  body: Readonly<Record<string, unknown>>,
): Promise<StrictAnswer> => {
  const sampling = { temperature: 1.5, top_k: 0, top_p: 1, ignore_eos: true, max_tokens: 16 }
  // A server that keeps prompts reads them again, for the sums of a kept one come out otherwise.
  const whole = { ...sampling, cache_prompt: false, stream: true, ...body }
  const answer = await fleet.chat(whole, { headers: STRICT })
  return {
    status: answer.status,
    pool: answer.headers.get('x-berth-pool'),
    mintedSeed: answer.headers.get('x-berth-seed'),
    content: contentOf(await answer.text()),
  }
}

interface Chunk {
  readonly choices: readonly { readonly delta: { readonly content?: string | null } }[]
}

const contentOf = (stream: string): Uint8Array =>
  new TextEncoder().encode(
    stream
      .split('\n')
      .filter((line) => line.startsWith('data: {'))
      .map((line) => JSON.parse(line.slice('data: '.length)) as Chunk)
      .map(({ choices }) => choices[0]?.delta.content ?? '')
      .join(''),
  )
