import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'

/**
 * What of a request reaches the engine. The client's key and cookies never do, and answers come
 * uncompressed so that usage can be read from them.
 */
const TO_ENGINE = [
  'accept',
  'content-length',
  'content-type',
  'traceparent',
  'tracestate',
  'x-correlation-id',
] as const

/** What of the engine's answer reaches the gateway; framing is ours, for the trailer. */
const FROM_ENGINE = ['cache-control', 'content-encoding', 'content-type', 'retry-after'] as const

export const toEngine = (
  headers: IncomingHttpHeaders,
  engineHeaders: Readonly<Record<string, string>>,
): OutgoingHttpHeaders => Object.assign(pick(headers, TO_ENGINE), engineHeaders)

export const fromEngine = (headers: IncomingHttpHeaders): OutgoingHttpHeaders =>
  pick(headers, FROM_ENGINE)

const pick = (headers: IncomingHttpHeaders, names: readonly string[]): OutgoingHttpHeaders => {
  const picked: OutgoingHttpHeaders = {}
  for (const name of names) {
    const value = headers[name]
    if (value !== undefined) picked[name] = value
  }
  return picked
}
