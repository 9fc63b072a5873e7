import {
  countAnyhow,
  countRequest,
  createRequestRate,
  isLimited,
  uncountRequest,
} from '@berth/admission'
import type { GatewayId, JobId } from '@berth/kernel'
import { admit } from './admit.ts'
import type { Core, Gateway } from './core-state.ts'
import { factsOf, rejectAsk, turnAway } from './job-end.ts'
import type { Ask } from './job-spec.ts'
import { keyAccount, type HeldAsk } from './ledger.ts'
import { refuseRate } from './refuse-budget.ts'
import { refuseDuplicate, refuseOutstanding, type Refusal } from './refusal.ts'
import { isBudgetLimited } from './sessions.ts'

/** What a gateway is told of a job that waits for the ledger. Takes a moment, rarely longer. */
const HELD_REASON = 'BUDGETS_UNREAD'
const HELD_START_MS = 1_000

/**
 * A job comes in. One with a budget waits, before it is admitted, until this leader knows what is
 * left: until the ledger is read, and every gateway that may hold reservations of the leader before
 * has declared them or is past the time to.
 */
export const receive = (core: Core, gateway: Gateway, ask: Ask): void => {
  const { jobId } = ask
  const { held } = core.ledger
  const known = held.get(jobId)
  if (known && known.gatewayId !== gateway.gatewayId) {
    return turnAway(core, gateway.gatewayId, ask, refuseDuplicate(ask))
  }
  if (known) return tellHeld(core, gateway, jobId)
  // Sent twice: admission knows it.
  if (core.queue.jobs.has(jobId)) return admit(core, gateway, ask)
  const refusal = refuseByRate(core, gateway, ask)
  if (refusal) return rejectAsk(core, gateway.gatewayId, ask, refusal)
  if (knowsWhatIsLeft(core, gateway) || !hasBudget(core, ask)) return admit(core, gateway, ask)
  if (held.size >= core.policy.maxOutstanding) {
    return rejectAsk(core, gateway.gatewayId, ask, refuseOutstanding(held.size, HELD_START_MS))
  }
  held.set(jobId, { ask, gatewayId: gateway.gatewayId, sinceMs: core.clock.now() })
  tellHeld(core, gateway, jobId)
}

const tellHeld = ({ effects, ledger: { held } }: Core, { key }: Gateway, jobId: JobId) =>
  effects.send(key!, {
    ...{ kind: 'queued', jobId, position: held.size, queueDepth: held.size },
    ...{ predictedStartMs: HELD_START_MS, reason: HELD_REASON },
  })

/** Admits those whose budgets are known by now, in the order in which they arrived. */
export const releaseHeld = (core: Core): void => {
  const { held } = core.ledger
  if (held.size === 0 || core.role.kind !== 'leader') return
  const now = core.clock.now()
  const inOrder = [...held.values()].sort((a, b) => arrivedAtMs(a) - arrivedAtMs(b))
  for (const one of inOrder) {
    const gateway = core.gateways.get(one.gatewayId)
    if (!gateway || !knowsWhatIsLeft(core, gateway)) continue
    held.delete(one.ask.jobId)
    admit(core, gateway, { ...one.ask, waitedMs: now - arrivedAtMs(one) })
  }
}

/** Time has passed: gateways that did not come back do not count any more. */
export const tickHeld = (core: Core, now: number): void => {
  const { ledger, role, policy } = core
  if (role.kind !== 'leader') return
  if (ledger.awaited.size > 0 && now - role.sinceMs >= policy.leaseTtlMs) ledger.awaited.clear()
  releaseHeld(core)
  for (const one of [...ledger.held.values()]) {
    const { spec, jobId } = one.ask
    const waitedMs = now - arrivedAtMs(one)
    const limitMs = spec.maxWaitMs || policy.maxWaitMs[spec.jobClass]
    if (waitedMs < (spec.deadlineMs > 0 ? Math.min(limitMs, spec.deadlineMs) : limitMs)) continue
    ledger.held.delete(jobId)
    // Admission refuses it: its time is over.
    const gateway = core.gateways.get(one.gatewayId)
    if (gateway) admit(core, gateway, { ...one.ask, waitedMs })
  }
}

/** The client of a held job left. False when no such job is held. */
export const cancelHeld = (core: Core, gatewayId: GatewayId, jobId: JobId): boolean => {
  const one = core.ledger.held.get(jobId)
  if (!one || one.gatewayId !== gatewayId) return false
  core.ledger.held.delete(jobId)
  const queuedMs = core.clock.now() - arrivedAtMs(one)
  core.effects.report({ kind: 'job_ended', job: factsOf(one.ask), outcome: 'cancelled', queuedMs })
  return true
}

/** The session of a gateway is over: it sends its jobs again. */
export const leaveHeld = (core: Core, gatewayId: GatewayId): void => {
  for (const { ask, gatewayId: owner, sinceMs } of [...core.ledger.held.values()]) {
    if (owner !== gatewayId) continue
    cancelHeld(core, gatewayId, ask.jobId)
    sendsAgain(core, ask, sinceMs - ask.waitedMs)
  }
}

/** A job that will come again is not counted twice. */
export const sendsAgain = (core: Core, { spec, attempt }: Ask, arrivedAt: number): void => {
  const rate = core.ledger.rates.get(spec.keyId)
  if (rate && attempt === 0) uncountRequest(rate, arrivedAt)
}

/**
 * Of a job that came before its gateway's session nobody knows whether it was let in before: it
 * counts, and is let in.
 */
const refuseByRate = (core: Core, gateway: Gateway, ask: Ask): Refusal | undefined => {
  const { spec, waitedMs, attempt } = ask
  const perMinute = core.budgetOfKey?.(spec.keyId)?.requestsPerMinute
  if (perMinute === undefined || attempt > 0) return undefined
  const nowMs = core.clock.now()
  const arrivedAt = nowMs - waitedMs
  const rate = core.ledger.rates.get(spec.keyId) ?? createRequestRate()
  core.ledger.rates.set(spec.keyId, rate)
  if (arrivedAt < gateway.openedAtMs) {
    countAnyhow(rate, arrivedAt)
    return undefined
  }
  const retryAfterMs = countRequest(rate, perMinute, { arrivedAtMs: arrivedAt, nowMs })
  return retryAfterMs > 0 ? refuseRate(perMinute, retryAfterMs) : undefined
}

/** True once nothing that is set aside can be unknown, nor become so if this leader dies. */
const knowsWhatIsLeft = ({ ledger }: Core, { gatewayId }: Gateway): boolean =>
  ledger.state === 'loaded' &&
  ledger.awaited.size === 0 &&
  (ledger.roster.has(gatewayId) || ledger.isStoreDown)

/** A session that is not known yet may have a budget. */
const hasBudget = (core: Core, { spec }: Ask): boolean =>
  isLimited(spec.budget) ||
  keyAccount(core, spec.keyId) !== undefined ||
  (spec.sessionId !== '' && isBudgetLimited(core, spec))

const arrivedAtMs = ({ ask, sinceMs }: HeldAsk): number => sinceMs - ask.waitedMs
