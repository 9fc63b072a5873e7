import {
  dequeue,
  depthOf,
  enqueue,
  inOrder,
  jobsAhead,
  jobsAheadOf,
  modelsWaitedFor,
  offer,
  serveAtOnce,
  type JobOffer,
  type WaitingJob,
} from '@berth/admission'
import type { GatewayId, JobId } from '@berth/kernel'
import type { Decision } from '@berth/placement'
import { reserveJob } from './charges.ts'
import type { Core, Gateway, Waiting } from './core-state.ts'
import { onTimeAfter, onTimeAt, refuseTooLate } from './deadline.ts'
import { decide, expectedTokensOf } from './decide.ts'
import { dispatchModel, dispatchPool, isSettling } from './dispatch.ts'
import { restartMs, startMsBy } from './estimate.ts'
import { grant, voidLease } from './grant.ts'
import { closeWait, endWait, factsOf, refuse, rejectAsk, turnAway } from './job-end.ts'
import type { Ask, JobSpec } from './job-spec.ts'
import { waitLimitMs } from './wait-limit.ts'
import {
  refuseDuplicate,
  refuseEvicted,
  refuseExpired,
  refuseFull,
  refuseImpossible,
  refuseOutstanding,
  type Refusal,
} from './refusal.ts'

/** No job says that it has waited longer: its place would be before everyone's, for ever. */
const MAX_WAITED_MS = 3_600_000
const TELL_AGAIN = -1
/** Jobs of a model, from the front, that are told what they wait for though they did not move. */
const TOLD_REASONS = 256

/** Gives a job a slot, a place in the queue, or a refusal. */
export const admit = (core: Core, gateway: Gateway, ask: Ask): void => {
  const { spec } = ask
  const known = core.queue.jobs.get(ask.jobId)
  if (known?.payload.gatewayId === gateway.gatewayId) {
    // Sent twice: it waits already, and its gateway wants to know where.
    known.payload.toldPosition = TELL_AGAIN
    return tellQueued(core, known, jobsAhead(core.queue, ask.jobId)!)
  }
  const refusal = refuseAtTheDoor(core, gateway, ask)
  if (refusal) return turnAway(core, gateway.gatewayId, ask, refusal)

  const candidate = toOffer(core, gateway, ask)
  const ahead = jobsAheadOf(core.queue, candidate)
  const decision = decide(core, ask, candidate.payload.exclusionsEndMs, ahead)
  if (decision.kind === 'impossible' && !mayStillAppear(core, decision)) {
    return rejectAsk(core, gateway.gatewayId, ask, refuseImpossible(decision.reason, spec))
  }
  const short = reserveJob(core, ask.jobId, spec, decision)
  if (short) return rejectAsk(core, gateway.gatewayId, ask, short)
  const startMs = startMsBy(core, decision, ahead)
  const late = wasAdmitted(gateway, candidate)
    ? undefined
    : refuseTooLate(core, candidate, decision, startMs)
  if (late) return rejectAsk(core, gateway.gatewayId, ask, late)
  if (decision.kind === 'assigned') {
    if (ahead === 0) return grantAtOnce(core, candidate, decision)
    if (goesPast(core, gateway, candidate)) return
  }
  wait(core, gateway, candidate, { decision, ahead })
}

/**
 * The client left or the wait is over: the job never gets a slot, and one that crosses this on its
 * way is taken back. Final, and nothing when the job is over already.
 */
export const cancel = (core: Core, gatewayId: GatewayId, jobId: JobId): void => {
  const job = core.queue.jobs.get(jobId)
  if (job && job.payload.gatewayId === gatewayId) {
    endWait(core, job, 'cancelled')
    // Those behind it may go on: it could have been the one that was waited for.
    return dispatchModel(core, job.modelId)
  }
  const lease = core.leases.byJob.get(jobId)
  if (lease?.gatewayId !== gatewayId) return
  voidLease(core, lease, 'lost', false)
  const pool = core.view.pools.get(lease.poolId)
  if (pool) dispatchPool(core, pool)
}

/** Tells every gateway where its jobs stand, in one pass over each model. */
export const tellPositions = (core: Core): void => {
  for (const modelId of modelsWaitedFor(core.queue)) {
    let ahead = 0
    for (const job of inOrder(core.queue, modelId)) {
      const hasMoved = job.payload.toldPosition !== ahead + 1
      if (hasMoved || ahead < TOLD_REASONS) tellQueued(core, job, ahead)
      ahead += 1
    }
  }
}

/** Tells a gateway where its job stands, why and until when, when place or reason is news. */
const tellQueued = (
  core: Core,
  job: WaitingJob<Waiting>,
  ahead: number,
  decision = decide(core, job.payload.ask, job.payload.exclusionsEndMs, ahead),
): void => {
  const { jobId, modelId, payload } = job
  const { ask, gatewayId } = payload
  const position = ahead + 1
  const key = core.gateways.get(gatewayId)?.key
  const reason = decision.kind === 'assigned' ? 'NO_CAPACITY' : decision.reason
  const isNews = position !== payload.toldPosition || reason !== payload.toldReason
  if (key === undefined || !isNews) return
  const isNew = payload.toldPosition === 0
  payload.toldPosition = position
  payload.toldReason = reason
  const predictedStartMs = startMsBy(core, decision, ahead)
  const facts = { position, predictedStartMs, reason }
  const onTime = onTimeAfter(core, job, predictedStartMs)
  const queueDepth = depthOf(core.queue, modelId)
  core.effects.send(key, { kind: 'queued', jobId, ...facts, queueDepth, ...onTime })
  if (isNew) core.effects.report({ kind: 'job_queued', job: factsOf(ask), ...facts })
}

/** What refuses a job whatever the fleet looks like. Nothing is held for it yet. */
const refuseAtTheDoor = (core: Core, gateway: Gateway, ask: Ask): Refusal | undefined => {
  const { spec } = ask
  if (core.queue.jobs.has(ask.jobId)) return refuseDuplicate(ask)
  if (gateway.waiting >= core.policy.maxOutstanding) {
    return refuseOutstanding(gateway.waiting, restartMs(core, ask))
  }
  const isOver = ask.waitedMs > 0 && ask.waitedMs >= waitLimitMs(core, spec)
  return isOver ? refuseExpired(spec, ask.waitedMs, restartMs(core, ask)) : undefined
}

/** It is its turn and a slot is free: it never waits, and is charged as if it had. */
const grantAtOnce = (
  core: Core,
  job: JobOffer<Waiting>,
  { pool, predictedEndMs }: Extract<Decision, { kind: 'assigned' }>,
): void => {
  const { ask, gatewayId } = job.payload
  const service = serveAtOnce(core.queue, job)
  const queuedMs = Math.round(core.clock.now() - job.arrivedAtMs)
  const queueDepth = depthOf(core.queue, job.modelId)
  const times = { predictedEndMs, queuedMs, ...onTimeAt(core, job, pool, predictedEndMs) }
  grant(core, ask, { gatewayId, pool, ...times, queueDepth, service })
}

/**
 * Whoever stands ahead may be held up by demands this job does not have. It stands in line for one
 * pass, also in a queue that is full: a slot nobody else can use is not refused. True when it left.
 */
const goesPast = (core: Core, gateway: Gateway, candidate: JobOffer<Waiting>): boolean => {
  enqueue(core.queue, candidate)
  gateway.waiting += 1
  dispatchModel(core, candidate.modelId)
  if (!dequeue(core.queue, candidate.jobId)) return true
  gateway.waiting -= 1
  return false
}

const wait = (
  core: Core,
  gateway: Gateway,
  candidate: JobOffer<Waiting>,
  { decision, ahead }: Standing,
): void => {
  const { ask } = candidate.payload
  const predictedStartMs = startMsBy(core, decision, ahead)
  candidate.payload.lookedAtPass = core.passes
  const isReadmitted = wasAdmitted(gateway, candidate)
  const admission = offer(core.queue, candidate, { predictedStartMs, isReadmitted })
  if (admission.kind === 'rejected') {
    const { policyLabel, retryAfterMs } = admission
    const refusal = refuseFull(ask.spec, policyLabel, retryAfterMs)
    return refuse(core, gateway.gatewayId, ask, refusal)
  }
  gateway.waiting += 1
  const { job, evicted } = admission
  if (evicted) {
    const victim = evicted.payload.ask
    closeWait(core, evicted, 'evicted', refuseEvicted(victim.spec, restartMs(core, victim)))
  }
  const isAsSeen = !evicted && decision.kind === 'wait'
  if (isAsSeen) tellQueued(core, job, ahead, decision)
  else tellQueued(core, job, jobsAhead(core.queue, job.jobId)!)
}

/** What was decided for a job in the place it would have. */
interface Standing {
  readonly decision: Decision
  readonly ahead: number
}

/**
 * It arrived before its gateway's session began, so it may have waited with the leader before this
 * one; or it had a slot already, at a pool that failed it.
 */
const wasAdmitted = (gateway: Gateway, { arrivedAtMs, payload }: JobOffer<Waiting>): boolean =>
  arrivedAtMs < gateway.openedAtMs || payload.ask.exclusions.length > 0

const toOffer = (core: Core, { gatewayId }: Gateway, ask: Ask): JobOffer<Waiting> => {
  const { jobId, spec } = ask
  const now = core.clock.now()
  const arrivedAtMs = now - Math.min(ask.waitedMs, MAX_WAITED_MS)
  return {
    ...{ jobId, modelId: spec.modelId, jobClass: spec.jobClass, tenant: spec.tenant },
    costTokens: Math.ceil(spec.promptTokens + expectedTokensOf(core, spec) * (spec.answers ?? 1)),
    arrivedAtMs,
    expiresAtMs: arrivedAtMs + waitLimitMs(core, spec),
    payload: {
      ...{ ask, gatewayId, exclusionsEndMs: now + core.policy.exclusionMs, toldPosition: 0 },
      toldReason: '',
      isModelInDoubt: !isKnown(core, spec),
      lookedAtPass: -1,
      declinesSinceMs: undefined,
      demandKey: undefined,
    },
  }
}

/** Whether a host that was heard itself has the model. */
const isKnown = (core: Core, { modelId }: JobSpec): boolean =>
  core.view.poolsOfModel.get(modelId)?.some(({ host }) => host.isProven) ?? false

const mayStillAppear = (core: Core, decision: Decision): boolean =>
  decision.kind === 'impossible' && decision.reason === 'MODEL_NOT_FOUND' && isSettling(core)
