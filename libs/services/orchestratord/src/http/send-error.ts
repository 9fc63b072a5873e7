import type { IncomingMessage, ServerResponse } from 'node:http'
import { BerthError, type Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { ErrorRequestHandler } from 'express'
import { toErrorAnswer } from './error-envelope.ts'
import { contextOf } from './request-context.ts'

/** How long a client may go on sending a body that was refused, so that it reads the answer. */
const LINGER_MS = 2_000
const SHORT_BODY_BYTES = 65_536

/** The one place where what a handler threw becomes an answer. */
export const errorHandler =
  (clock: Clock, log: Logger): ErrorRequestHandler =>
  (thrown: unknown, req, res, _next) => {
    const error = toBerthError(thrown)
    const context = contextOf(res)
    context.facts = { ...context.facts, reason: error.reason }
    if (error.reason === 'INTERNAL')
      log.error(
        { err: error.cause ?? error, correlationId: context.correlationId },
        'request failed',
      )
    if (res.headersSent) return void res.destroy()
    sendError(res, error)
    if (hasMuchToCome(req)) linger(clock, req, res)
    else res.end()
  }

/** Writes the whole envelope; the caller ends the response. */
export const sendError = (res: ServerResponse, error: BerthError): void => {
  const answer = toErrorAnswer(error, contextOf(res).correlationId)
  const body = JSON.stringify(answer.body)
  if (hasMuchToCome(res.req)) res.setHeader('Connection', 'close')
  res.writeHead(answer.status, {
    ...answer.headers,
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
  })
  res.write(body)
}

/**
 * Ends the response once the client stopped sending. Closing earlier would reset the connection
 * under the answer.
 */
const linger = (clock: Clock, req: IncomingMessage, res: ServerResponse) => {
  const finish = () => {
    cancel()
    res.end()
  }
  const cancel = clock.after(LINGER_MS, finish)
  req.once('end', finish)
  req.once('close', finish)
  req.resume()
}

/** A short rest of a body is read and the connection kept; a long one is not worth it. */
const hasMuchToCome = (req: IncomingMessage) =>
  !req.complete &&
  (req.headers['transfer-encoding'] !== undefined ||
    Number(req.headers['content-length'] ?? 0) > SHORT_BODY_BYTES)

const toBerthError = (thrown: unknown): BerthError => {
  // Express throws these for paths that do not decode.
  if (Error.isError(thrown) && (thrown as { status?: unknown }).status === 400)
    return new BerthError('INVALID_PARAMS', 'The path of the request is not valid.', {
      facts: { param: 'path' },
      cause: thrown,
    })
  return BerthError.from(thrown)
}
