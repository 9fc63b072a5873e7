import type { IncomingHttpHeaders } from 'node:http'
import type { CorrelationId } from '@berth/kernel'
import type { AnswerHead } from '../caller.ts'

// W3C Trace Context, version 00.
const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** What goes to the ingress. Never credentials, never cookies. */
export const upstreamHeaders = (
  headers: IncomingHttpHeaders,
  correlationId: CorrelationId,
): Record<string, string> => {
  const { accept, traceparent } = headers
  return {
    'content-type': headers['content-type'] ?? 'application/json',
    'x-correlation-id': correlationId,
    ...(accept === undefined ? {} : { accept }),
    ...(typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? { traceparent } : {}),
  }
}

// Hop by hop (RFC 9110, 7.6.1), or set by the gateway itself.
const OWN: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'date',
  'server',
  'set-cookie',
  'x-correlation-id',
])

/** The engine's headers as the client gets them. */
export const answerHeaders = (head: AnswerHead): Record<string, string | readonly string[]> => {
  const answer: Record<string, string | readonly string[]> = { ...head.berth }
  for (const [name, value] of Object.entries(head.headers))
    if (value !== undefined && !OWN.has(name) && !name.startsWith('berth-')) answer[name] = value
  return answer
}
