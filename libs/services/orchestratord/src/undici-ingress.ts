import type { Readable } from 'node:stream'
import { Agent, request } from 'undici'
import type { Ingress } from './ingress.ts'

/** An ingress is on the same network: what does not connect in this time is not there. */
const CONNECT_TIMEOUT_MS = 2_000
/** Backstop against an upstream that says nothing at all; agents find a stall much earlier. */
const SILENCE_TIMEOUT_MS = 600_000

/**
 * The real way to engines: HTTP/1.1 with kept-alive connections, one request each. The number of
 * connections is not limited here: every one of them is paid for with a lease.
 */
export const createUndiciIngress = (): { readonly send: Ingress } & AsyncDisposable => {
  const agent = new Agent({
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: SILENCE_TIMEOUT_MS,
    bodyTimeout: SILENCE_TIMEOUT_MS,
    pipelining: 1,
    // Below the 5 s of a Node server, so that an idle connection is never used as it closes.
    keepAliveTimeout: 3_000,
  })
  const send: Ingress = async ({ address, path, headers, body, signal }) => {
    const answer = await request(`http://${address}${path}`, {
      method: 'POST',
      dispatcher: agent,
      headers,
      body,
      signal,
    })
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: answer.body,
      trailers: () => answer.trailers,
      discard: () => discard(answer.body),
    }
  }
  return { send, [Symbol.asyncDispose]: () => agent.destroy() }
}

const discard = (body: Readable) => {
  // Whoever gives a body up does not want to hear how it ended.
  body.on('error', () => undefined)
  body.destroy()
}
