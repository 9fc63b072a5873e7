import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import { messageOf, type Clock, type Reason } from '@berth/kernel'
import { createReplaySet } from '@berth/lease'
import { listen, type Logger } from '@berth/runtime'
import type { AgentMetrics } from '../metrics.ts'
import type { Pool } from '../pool/pool.ts'
import type { Sample } from '../pool/performance.ts'
import type { Authority } from './authority.ts'
import { checkLease, type Refusal } from './check-lease.ts'
import { relay, type RelayOutcome } from './relay.ts'

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
  /** Refuses everything new with `draining` from now on. */
  drain(): void
  /** Resolves once no request is in flight. */
  idle(): Promise<void>
}

/** Leases live seconds; this many in force at once is far beyond one host. */
const REPLAYS_KEPT = 100_000
/** Connections that wait for the next request to an engine; short, because engines close them. */
const IDLE_SOCKET_MS = 2_000

export const createIngress = async (options: IngressOptions): Promise<Ingress> => {
  const { clock, log, metrics, door } = options
  const replays = createReplaySet({ capacity: REPLAYS_KEPT })
  const agents = {
    http: new Agent({ keepAlive: true, timeout: IDLE_SOCKET_MS }),
    https: new TlsAgent({ keepAlive: true, timeout: IDLE_SOCKET_MS }),
  }
  let isDraining = false

  const handle = async (req: IncomingMessage, res: ServerResponse) => {
    if (isDraining) res.setHeader('connection', 'close')
    const path = (req.url ?? '/').split('?')[0]!
    const token = req.headers['berth-lease']
    const nowMs = clock.wall()
    const check = checkLease(typeof token === 'string' ? token : '', path, {
      ...door,
      replays,
      isDraining,
      nowMs,
    })
    const refuseWith = (refusal: Refusal) => {
      metrics.refusals.inc({ pool_id: check.pool?.spec.poolId ?? 'none', reason: refusal })
      refuse(req, res, refusal)
    }
    if (!check.ok) return refuseWith(check.refusal)
    if (req.method !== 'POST') return refuseWith('unsupported_route')
    const { pool, claims } = check
    const abort = new AbortController()
    const release = pool.slots.take({
      leaseId: claims.leaseId,
      modelId: claims.modelId,
      abort: () => abort.abort(),
    })
    if (!release) return refuseWith('no_slot')
    try {
      const { instanceId, access } = pool.instance!
      const limits = { ...options, agents, access, instanceId, signal: abort.signal }
      const outcome = await relay(req, res, limits)
      record(pool, outcome, metrics)
      answerFor(outcome, req, res, refuseWith)
    } finally {
      release()
    }
  }

  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, (req, res) => {
    // A gateway that goes is seen on the response; the request's own error adds nothing.
    req.on('error', () => undefined)
    res.on('error', () => undefined)
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

/** What the gateway is told when the engine gave no answer of its own. */
const answerFor = (
  outcome: RelayOutcome,
  req: IncomingMessage,
  res: ServerResponse,
  refuseWith: (refusal: Refusal) => void,
) => {
  switch (outcome.kind) {
    case 'unreachable':
      return refuseWith('not_ready')
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

const refuse = (req: IncomingMessage, res: ServerResponse, refusal: Refusal) => {
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

const record = (pool: Pool, outcome: RelayOutcome, metrics: AgentMetrics) => {
  const labels = { pool_id: pool.spec.poolId }
  metrics.requests.inc({ ...labels, outcome: outcome.kind })
  if (outcome.kind !== 'done' || outcome.status >= 300) return
  const { usage } = outcome
  if (usage) {
    metrics.tokens.inc({ ...labels, direction: 'in' }, usage.tokensIn)
    metrics.tokens.inc({ ...labels, direction: 'out' }, usage.tokensOut)
  }
  pool.recordSample(sampleOf(outcome))
}

/** Only a stream shows when its first token came; the rest of its time is decoding. */
const sampleOf = (outcome: Extract<RelayOutcome, { readonly kind: 'done' }>): Sample => {
  const { isStream, firstByteMs, totalMs, usage } = outcome
  const decodeMs = isStream ? totalMs - firstByteMs : totalMs
  const tokens = (usage?.tokensOut ?? 0) - (isStream ? 1 : 0)
  return {
    ...(isStream ? { firstTokenMs: firstByteMs } : {}),
    ...(tokens > 0 && decodeMs > 0 ? { tokensPerS: (tokens * 1_000) / decodeMs } : {}),
  }
}
