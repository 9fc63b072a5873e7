import { countRejected, leave, type Departure, type WaitingJob } from '@berth/admission'
import type { BerthError, GatewayId, JobId } from '@berth/kernel'
import { refundJob } from './charges.ts'
import type { CancelCause, JobFacts, JobOutcome } from './core-event.ts'
import type { Core, Waiting } from './core-state.ts'
import type { SessionKey } from './effects.ts'
import type { Ask, LeaseResult } from './job-spec.ts'
import type { Refusal } from './refusal.ts'

/**
 * Refuses a job before anything was held for it. Its id may be that of another that waits, and
 * whose charge stays.
 */
export const turnAway = (core: Core, gatewayId: GatewayId, ask: Ask, refusal: Refusal): void => {
  countRejected(core.queue)
  tellRefused(core, gatewayId, ask, refusal)
}

/** A job that could not be understood. */
export interface UnreadableAsk {
  /** As its gateway calls it. */
  readonly jobId: JobId
  readonly waitedMs: number
  /** Why not. */
  readonly problem: BerthError
  /** For people: what it says of itself, at a length that can be told. */
  readonly facts: JobFacts
}

/** Refuses a job that could not be understood. */
export const refuseUnreadable = (
  core: Core,
  session: SessionKey,
  { jobId, waitedMs, problem, facts }: UnreadableAsk,
): void => {
  const gateway = core.sessions.get(session)
  if (!gateway) return
  const { reason, message } = problem
  countRejected(core.queue)
  const rest = { retryAfterMs: 0, policyLabel: '', placementReason: '' }
  tellRejected(core, gateway.gatewayId, jobId, { reason, message, ...rest })
  const end = { outcome: 'rejected', reason, queuedMs: waitedMs } as const
  core.effects.report({ kind: 'job_ended', job: facts, ...end })
}

/** Refuses a job that never waited. */
export const rejectAsk = (core: Core, gatewayId: GatewayId, ask: Ask, refusal: Refusal): void => {
  countRejected(core.queue)
  refuse(core, gatewayId, ask, refusal)
}

/** Tells of a refusal that the queue has counted itself. */
export const refuse = (core: Core, gatewayId: GatewayId, ask: Ask, refusal: Refusal): void => {
  refundJob(core, ask.jobId)
  tellRefused(core, gatewayId, ask, refusal)
}

const tellRefused = (core: Core, gatewayId: GatewayId, ask: Ask, refusal: Refusal): void => {
  tellRejected(core, gatewayId, ask.jobId, refusal)
  reportEnd(core, ask, 'rejected', { reason: refusal.reason, queuedMs: ask.waitedMs })
}

/**
 * Ends the wait of a job, once: false when it does not wait any more. With a refusal its gateway
 * is told.
 */
export const endWait = (
  core: Core,
  job: WaitingJob<Waiting>,
  departure: Exclude<Departure, 'dispatched'>,
  refusal?: Refusal,
): boolean => {
  if (!leave(core.queue, job.jobId, departure)) return false
  closeWait(core, job, departure, refusal)
  return true
}

/** What follows when a job has left the queue without a slot. */
export const closeWait = (
  core: Core,
  job: WaitingJob<Waiting>,
  departure: Exclude<Departure, 'dispatched'>,
  refusal?: Refusal,
): void => {
  const { ask, gatewayId } = job.payload
  noLongerWaiting(core, gatewayId)
  refundJob(core, job.jobId)
  if (refusal) tellRejected(core, gatewayId, job.jobId, refusal)
  reportEnd(core, ask, departure, {
    ...(refusal ? { reason: refusal.reason } : {}),
    ...(departure === 'cancelled' ? { cause: cancelCause(core, gatewayId) } : {}),
    queuedMs: core.clock.now() - job.arrivedAtMs,
  })
}

/** Jobs of a session that is over are cancelled with it. */
const cancelCause = (core: Core, gatewayId: GatewayId): CancelCause =>
  core.gateways.get(gatewayId)?.key === undefined ? 'session_lost' : 'client'

/** Counts one waiting job of a gateway less. */
export const noLongerWaiting = (core: Core, gatewayId: GatewayId): void => {
  const gateway = core.gateways.get(gatewayId)
  if (gateway) gateway.waiting -= 1
}

/**
 * What a lease took of its model, in tokens: fairness is charged with it. Undefined when nobody
 * counted, as of a stream that broke off.
 */
export const servedTokens = (result: LeaseResult): number | undefined => {
  switch (result.outcome) {
    case 'refused':
    case 'unreachable':
    case 'unused':
      return 0
    // An engine that answers with an error has produced what it says, mostly nothing.
    case 'engine_error':
      return result.tokensIn + result.tokensOut
    case 'completed':
    case 'client_gone':
    case 'broken':
    case 'unknown':
      return result.tokensIn + result.tokensOut || undefined
  }
}

/** Facts of a job for events. */
export const factsOf = ({ jobId, spec }: Ask): JobFacts => ({
  jobId,
  modelId: spec.modelId,
  jobClass: spec.jobClass,
  correlationId: spec.correlationId,
  sessionId: spec.sessionId,
})

const tellRejected = (core: Core, gatewayId: GatewayId, jobId: JobId, refusal: Refusal) => {
  const key = core.gateways.get(gatewayId)?.key
  if (key !== undefined) core.effects.send(key, { kind: 'rejected', jobId, ...refusal })
}

const reportEnd = (
  core: Core,
  ask: Ask,
  outcome: JobOutcome,
  facts: {
    readonly reason?: Refusal['reason']
    readonly cause?: CancelCause
    readonly queuedMs: number
  },
) => core.effects.report({ kind: 'job_ended', job: factsOf(ask), outcome, ...facts })
