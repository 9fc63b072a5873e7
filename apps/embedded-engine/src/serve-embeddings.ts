import { z } from 'zod'
import { badRequest, contextExceeded, QUEUE_FULL, STOPPING } from './http-answer.ts'
import { sendJson, sendProblem } from './http-answer.ts'
import type { Token } from './llama-runtime.ts'
import type { ReadyEngine } from './ready-engine.ts'
import type { Exchange } from './serve-completion.ts'

const MAX_INPUTS = 2048

const schema = z.object({
  input: z.union(
    [
      z.string().min(1),
      z.array(z.string().min(1)).min(1).max(MAX_INPUTS),
      z.array(z.int().min(0)).min(1),
    ],
    'must be a text, an array of texts, or an array of token ids',
  ),
  encoding_format: z.enum(['float', 'base64']).nullish(),
})

/** Answers `/v1/embeddings`: one vector of length 1 per input. Takes a slot as a completion does. */
export const serveEmbeddings = async (
  ready: ReadyEngine,
  { body, response, signal }: Exchange,
): Promise<void> => {
  const { engine, slots } = ready
  if (engine.embeddings === undefined) return sendProblem(response, NOT_SUPPORTED)
  const parsed = schema.safeParse(body)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    return sendProblem(response, badRequest(`'${issue.path.join('.')}': ${issue.message}`))
  }
  const inputs = tokenizeInputs(ready, parsed.data.input)
  const longest = Math.max(...inputs.map(({ length }) => length))
  // The library adds a token at either end.
  if (longest + 2 >= engine.contextTokens)
    return sendProblem(response, contextExceeded(longest, engine.contextTokens))
  const acquired = await slots.acquire(signal)
  if (acquired.kind === 'gone') return
  if (acquired.kind === 'full') return sendProblem(response, QUEUE_FULL)
  if (acquired.kind === 'closed') return sendProblem(response, STOPPING)
  const vectors: Float32Array[] = []
  try {
    for (const tokens of inputs) {
      const { vector } = await engine.embeddings.getEmbeddingFor(tokens)
      if (signal.aborted) return
      vectors.push(toUnitLength(vector))
    }
  } finally {
    slots.release(acquired.slot)
  }
  const isBase64 = parsed.data.encoding_format === 'base64'
  const total = inputs.reduce((sum, { length }) => sum + length, 0)
  sendJson(response, 200, {
    object: 'list',
    model: engine.alias,
    data: vectors.map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: isBase64 ? Buffer.from(vector.buffer).toString('base64') : Array.from(vector),
    })),
    usage: { prompt_tokens: total, total_tokens: total },
  })
}

const NOT_SUPPORTED = {
  status: 501,
  type: 'not_supported_error',
  message: 'This server does not support embeddings. Start it with `--embeddings`',
}

const tokenizeInputs = (
  { engine }: ReadyEngine,
  input: string | readonly string[] | readonly number[],
): readonly (readonly Token[])[] => {
  if (typeof input === 'string') return [engine.model.tokenize(input)]
  if (typeof input[0] === 'number') return [input as readonly number[]]
  return (input as readonly string[]).map((text) => engine.model.tokenize(text))
}

const toUnitLength = (vector: readonly number[]): Float32Array => {
  const length = Math.hypot(...vector)
  return Float32Array.from(vector, (value) => (length > 0 ? value / length : 0))
}
