import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listen } from './listen.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'

/** Whether a service can do its work, and the facts behind the answer. */
export interface Readiness {
  readonly ready: boolean
  readonly facts: Record<string, unknown>
}

/** Where to listen, and what to say. */
export interface StatusOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly metrics: Metrics
  ready(): Readiness
  readonly log: Logger
}

/**
 * The operator's door of a service without an HTTP interface of its own: `/healthz` (200 while the
 * process runs), `/readyz` (200 or 503, with facts), `/metrics`. Throws `PORT_IN_USE`.
 */
export const serveStatus = async (
  options: StatusOptions,
): Promise<{ readonly port: number } & AsyncDisposable> => {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (req, res) => {
    respond(options, req, res).catch((error: unknown) => {
      options.log.error({ err: error, path: req.url }, 'status request failed')
      res.destroy()
    })
  })
  server.maxConnections = 100
  const { host, port } = options
  const bound = await listen(server, { host, port, what: 'status server', setting: 'http_port' })
  return {
    port: bound,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const respond = async (options: StatusOptions, req: IncomingMessage, res: ServerResponse) => {
  const { pathname } = new URL(req.url ?? '/', 'http://status')
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    res.setHeader('allow', 'GET, HEAD')
    return sendJson(res, 405, { error: 'method not allowed' })
  }
  switch (pathname) {
    case '/healthz':
      return sendJson(res, 200, { status: 'ok' })
    case '/readyz': {
      const { ready, facts } = options.ready()
      return sendJson(res, ready ? 200 : 503, { ready, ...facts })
    }
    case '/metrics':
      res.setHeader('content-type', options.metrics.contentType)
      res.end(await options.metrics.text())
      return
    default:
      return sendJson(res, 404, { error: 'not found: /healthz, /readyz or /metrics' })
  }
}

const sendJson = (res: ServerResponse, status: number, body: Record<string, unknown>) => {
  res.statusCode = status
  res.setHeader('content-type', 'application/json')
  res.end(JSON.stringify(body) + '\n')
}
