import { createServer, STATUS_CODES, type RequestListener, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { BerthError, sleep, type Clock, type Rng } from '@berth/kernel'
import { listen } from '@berth/runtime'
import { mintCorrelationId } from './correlate.ts'
import { toErrorAnswer } from './error-envelope.ts'
import { watchConnections, type KeptConnections } from './kept-connections.ts'

/** Longer than usual load balancers keep theirs, so that the balancer closes first. */
const KEEP_ALIVE_MS = 75_000
/** For a whole request with its body. */
const REQUEST_TIMEOUT_MS = 300_000
const HEADERS_TIMEOUT_MS = 30_000
/** For terminal events to reach their clients before connections are cut. */
const FLUSH_MS = 200

export interface HttpServerOptions {
  readonly host: string
  readonly port: number
  readonly app: RequestListener
  readonly clock: Clock
  readonly rng: Rng
  readonly drainTimeoutMs: number
  /** Ends with an error what is still in flight when the drain is out of time. */
  cutOff(): void
}

/** Serves the app. Disposing drains: nothing new, what is in flight may finish in time. */
export const serveHttp = async (
  options: HttpServerOptions,
): Promise<{ readonly port: number } & AsyncDisposable> => {
  const server = createServer({
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    noDelay: true,
    // The app refuses these itself, with the envelope and a correlation id.
    requireHostHeader: false,
  })
  const kept = watchConnections(server, options.app, options.clock)
  server.on('request', kept.listener)
  // An expectation that nobody knows may be ignored (RFC 9110, 10.1.1).
  server.on('checkExpectation', kept.listener)
  server.on('clientError', (error, socket) => answerGarbage(options.rng, error, socket))
  const { host, port } = options
  const bound = await listen(server, { host, port, what: 'HTTP server', setting: 'http_port' })
  return { port: bound, [Symbol.asyncDispose]: () => drain(server, kept, options) }
}

const drain = async (
  server: Server,
  kept: KeptConnections,
  { clock, drainTimeoutMs, cutOff }: HttpServerOptions,
) => {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const stopClosing = kept.letGo()
  const stopWaiting = clock.after(drainTimeoutMs, () => {
    cutOff()
    void sleep(clock, FLUSH_MS).then(() => server.closeAllConnections())
  })
  await closed
  stopClosing()
  stopWaiting()
}

/** What is no HTTP never reaches the app; it gets the envelope and a correlation id all the same. */
const answerGarbage = (rng: Rng, error: Error & { code?: string }, socket: Duplex) => {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const correlationId = mintCorrelationId(rng)
  const { status, message } = describe(error.code)
  const answer = toErrorAnswer(new BerthError('INVALID_PARAMS', message), correlationId)
  const body = JSON.stringify(answer.body)
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Correlation-Id: ${correlationId}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  )
}

const describe = (code: string | undefined) => {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, message: 'The headers of the request are too large.' }
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, message: 'The request did not arrive in time.' }
    default:
      return { status: 400, message: 'The request is not valid HTTP.' }
  }
}
