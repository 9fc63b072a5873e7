import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Reason } from '@berth/kernel'
import type { Refusal } from './check-lease.ts'
import type { RelayOutcome } from './relay.ts'

/** What the gateway is told when the engine gave no answer of its own. */
export const answerFor = (
  outcome: RelayOutcome,
  req: IncomingMessage,
  res: ServerResponse,
  refuse: (refusal: Refusal) => void,
) => {
  switch (outcome.kind) {
    case 'unreachable':
      return refuse('not_ready')
    case 'silent':
      return sendJson(
        req,
        res,
        504,
        errorBody('DECODE_TIMEOUT', 'The engine sent nothing in time.'),
      )
    case 'too_large':
      return sendJson(
        req,
        res,
        413,
        errorBody('PAYLOAD_TOO_LARGE', 'The body is larger than max_body_bytes of the agent.'),
      )
    case 'done':
    case 'cancelled':
    case 'broken':
  }
}

/** Says why the request was not taken, so that it cannot be taken for the engine's own answer. */
export const sendRefusal = (req: IncomingMessage, res: ServerResponse, refusal: Refusal) => {
  res.setHeader('Berth-Refusal', refusal)
  sendJson(req, res, 503, { refusal })
}

const errorBody = (code: Reason, message: string) => ({ error: { code, message } })

const sendJson = (
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  body: Record<string, unknown>,
) => {
  if (res.destroyed || res.headersSent) return
  // A body that is not read keeps the connection from being used again.
  if (!req.complete) res.setHeader('connection', 'close')
  res.writeHead(status, { 'content-type': 'application/json' })
  res.end(JSON.stringify(body))
  req.resume()
}
