import type { IncomingMessage, ServerResponse } from 'node:http'

/** A problem as llama-server tells it. */
export interface Problem {
  readonly status: number
  readonly type: string
  readonly message: string
  /** Further fields of the error object. */
  readonly facts?: Readonly<Record<string, number>>
}

export const LOADING: Problem = {
  status: 503,
  type: 'unavailable_error',
  message: 'Loading model',
}
export const STOPPING: Problem = {
  status: 503,
  type: 'unavailable_error',
  message: 'The engine is stopping',
}
export const QUEUE_FULL: Problem = {
  status: 503,
  type: 'unavailable_error',
  message: 'All slots are busy and the queue is full',
}

export const badRequest = (message: string): Problem => ({
  status: 400,
  type: 'invalid_request_error',
  message,
})

/** Where the prompt alone fills the context. */
export const contextExceeded = (promptTokens: number, contextTokens: number): Problem => ({
  status: 400,
  type: 'exceed_context_size_error',
  message: `the request exceeds the available context size (${promptTokens} of ${contextTokens} tokens)`,
  facts: { n_prompt_tokens: promptTokens, n_ctx: contextTokens },
})

export const problemBody = ({ status, type, message, facts }: Problem) => ({
  error: { message, type, code: status, ...facts },
})

export const sendJson = (response: ServerResponse, status: number, body: unknown): void => {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}

export const sendProblem = (response: ServerResponse, problem: Problem): void => {
  // What is left of the request's body will not be read.
  if (!response.req.complete) response.setHeader('connection', 'close')
  sendJson(response, problem.status, problemBody(problem))
}

const MAX_BODY_BYTES = 32 * 1024 * 1024

/** Reads a JSON body; a problem when it is too large or not JSON. */
export const readJson = async (
  request: IncomingMessage,
): Promise<
  { readonly ok: true; readonly body: unknown } | { readonly ok: false; readonly problem: Problem }
> => {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > MAX_BODY_BYTES) {
      const message = `the body is larger than ${MAX_BODY_BYTES} bytes`
      return { ok: false, problem: { ...badRequest(message), status: 413 } }
    }
    chunks.push(chunk)
  }
  try {
    return { ok: true, body: JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown }
  } catch (error) {
    return { ok: false, problem: badRequest(`the body is not JSON: ${(error as Error).message}`) }
  }
}
