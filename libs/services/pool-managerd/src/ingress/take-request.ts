import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock, Reason } from '@berth/kernel'
import type { ReplaySet } from '@berth/lease'
import type { AgentMetrics } from '../metrics.ts'
import { checkLease, type DoorState, type Refusal } from './check-lease.ts'
import { recordOutcome } from './record-outcome.ts'
import { relay, type RelayOptions, type RelayOutcome } from './relay.ts'

/** What every request at the ingress needs. */
export interface TakeContext extends Pick<
  RelayOptions,
  'agents' | 'maxBodyBytes' | 'firstByteTimeoutMs'
> {
  readonly door: Pick<DoorState, 'hostId' | 'epoch' | 'pools' | 'authority'>
  readonly replays: ReplaySet
  readonly isDraining: boolean
  readonly clock: Clock
  readonly metrics: AgentMetrics
}

/** One request: its lease is checked, a slot taken, the engine asked, the slot given back. */
export const takeRequest = async (
  req: IncomingMessage,
  res: ServerResponse,
  context: TakeContext,
): Promise<void> => {
  const { door, replays, isDraining, clock, metrics } = context
  if (isDraining) res.setHeader('connection', 'close')
  const path = (req.url ?? '/').split('?')[0] ?? '/'
  const token = req.headers['berth-lease']
  const state = { ...door, replays, isDraining, nowMs: clock.wall() }
  const check = checkLease(typeof token === 'string' ? token : '', path, state)
  const refuse = (refusal: Refusal) => {
    metrics.refusals.inc({ pool_id: check.pool?.spec.poolId ?? 'none', reason: refusal })
    sendRefusal(req, res, refusal)
  }
  if (!check.ok) return refuse(check.refusal)
  if (req.method !== 'POST') return refuse('unsupported_route')
  const { pool, instance, claims } = check
  const ending = new AbortController()
  const { leaseId, modelId } = claims
  let hasStreamed = false
  const flow = () => ({ isHeldBack: !req.complete || res.writableNeedDrain, hasStreamed })
  const release = pool.slots.take({ leaseId, modelId, abort: () => ending.abort(), flow })
  if (!release) return refuse('no_slot')
  try {
    const { access, instanceId } = instance
    const { signal } = ending
    const { seedField, isAbortedByDisconnect } = pool.driver.abilities
    const onDisconnect = access.onDisconnect ?? (isAbortedByDisconnect ? 'abort' : 'drain')
    const occupancy = pool.slots.active
    const onPart = (bytes: number, isStream: boolean) => {
      pool.relayed(bytes)
      hasStreamed ||= isStream
    }
    const outcome = await relay(req, res, {
      ...context,
      ...{ access, instanceId, seedField, onDisconnect, signal, onPart },
    })
    recordOutcome(pool, outcome, metrics, occupancy)
    answerFor(outcome, req, res, refuse)
  } finally {
    release()
  }
}

/** What the gateway is told when the engine gave no answer of its own. */
const answerFor = (
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

const sendRefusal = (req: IncomingMessage, res: ServerResponse, refusal: Refusal) => {
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
