import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import { messageOf, type Clock } from '@berth/kernel'
import { createReplaySet } from '@berth/lease'
import { listen, type Logger } from '@berth/runtime'
import type { AgentMetrics } from '../metrics.ts'
import type { Pool } from '../pool/pool.ts'
import type { Authority } from './authority.ts'
import { createTargets } from './engine-target.ts'
import { takeRequest } from './take-request.ts'

export interface IngressOptions {
  readonly host: string
  readonly port: number
  /** Whose engines stand behind it. */
  readonly door: {
    readonly hostId: string
    readonly epoch: number
    readonly pools: ReadonlyMap<string, Pool>
    readonly authority: Authority
  }
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: AgentMetrics
  readonly maxBodyBytes: number
  readonly firstByteTimeoutMs: number
}

/** The one door to the engines of this host. */
export interface Ingress extends AsyncDisposable {
  readonly port: number
  readonly isDraining: boolean
  /** Refuses everything new with `draining` from now on, and ends every connection in turn. */
  drain(): void
  /** Resolves once no request is in flight. */
  idle(): Promise<void>
}

/** Leases live seconds; this many in force at once is far beyond one host. */
const REPLAYS_KEPT = 100_000
/** Connections that wait for the next request to an engine; short, because engines close them. */
const IDLE_SOCKET_MS = 2_000

export const createIngress = async (options: IngressOptions): Promise<Ingress> => {
  const { log, door } = options
  const replays = createReplaySet({ capacity: REPLAYS_KEPT })
  const agents = {
    http: new Agent({ keepAlive: true, timeout: IDLE_SOCKET_MS }),
    https: new TlsAgent({ keepAlive: true, timeout: IDLE_SOCKET_MS }),
  }
  const targetOf = createTargets()
  const unfinished = new Set<ServerResponse>()
  let isDraining = false

  const follow = (req: IncomingMessage, res: ServerResponse) => {
    unfinished.add(res)
    // A connection whose last answer said that it stays is ended by us instead.
    res.once('finish', () => isDraining && req.socket.end())
    res.once('close', () => unfinished.delete(res))
  }
  const handle = (req: IncomingMessage, res: ServerResponse) =>
    takeRequest(req, res, { ...options, replays, agents, targetOf, isDraining })
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, (req, res) => {
    // A gateway that goes is seen on the response; the request's own error adds nothing.
    req.on('error', () => undefined)
    res.on('error', () => undefined)
    follow(req, res)
    handle(req, res).catch((error: unknown) => {
      log.error({ error: messageOf(error) }, 'ingress failed')
      res.destroy()
    })
  })
  const { host } = options
  const bound = { host, port: options.port, what: 'ingress', setting: 'ingress_port' }
  const port = await listen(server, bound)
  return {
    port,
    get isDraining() {
      return isDraining
    },
    drain: () => {
      isDraining = true
      for (const res of unfinished) if (!res.headersSent) res.setHeader('connection', 'close')
      server.closeIdleConnections()
    },
    idle: async () => {
      await Promise.all(
        [...door.pools.values()].map(
          ({ slots }) => new Promise<void>((resolve) => slots.whenIdle(resolve)),
        ),
      )
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        agents.http.destroy()
        agents.https.destroy()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
