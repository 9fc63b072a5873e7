import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '@berth/kernel'
import type { ReplaySet } from '@berth/lease'
import type { Logger } from '@berth/runtime'
import type { AgentMetrics } from '../metrics.ts'
import { answerFor, sendRefusal } from './answer-for.ts'
import { checkLease, type DoorState, type Refusal } from './check-lease.ts'
import { logRequest, requestFacts } from './log-request.ts'
import { recordOutcome } from './record-outcome.ts'
import { relay, type RelayOptions } from './relay.ts'

/** What every request at the ingress needs. */
export interface TakeContext extends Pick<
  RelayOptions,
  'agents' | 'targetOf' | 'maxBodyBytes' | 'firstByteTimeoutMs'
> {
  readonly door: Pick<DoorState, 'hostId' | 'epoch' | 'pools' | 'authority'>
  readonly replays: ReplaySet
  readonly isDraining: boolean
  readonly clock: Clock
  readonly metrics: AgentMetrics
  readonly log: Logger
}

/** One request: its lease is checked, a slot taken, the engine asked, the slot given back. */
export const takeRequest = async (
  req: IncomingMessage,
  res: ServerResponse,
  context: TakeContext,
): Promise<void> => {
  const { door, replays, isDraining, clock, metrics, log } = context
  if (isDraining) res.setHeader('connection', 'close')
  const path = (req.url ?? '/').split('?')[0] ?? '/'
  const token = req.headers['berth-lease']
  const state = { ...door, replays, isDraining, nowMs: clock.wall() }
  const check = checkLease(typeof token === 'string' ? token : '', path, state)
  const refuse = (refusal: Refusal) => {
    metrics.refusals.inc({ pool_id: check.pool?.spec.poolId ?? 'none', reason: refusal })
    log.info({ ...requestFacts(req.headers, check.pool), reason: refusal }, 'request refused')
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
      model: pool.keeper && modelId,
    })
    recordOutcome(pool, outcome, metrics, occupancy)
    logRequest(log, outcome, () => ({ ...requestFacts(req.headers, pool), lease_id: leaseId }))
    answerFor(outcome, req, res, refuse)
  } finally {
    release()
  }
}
