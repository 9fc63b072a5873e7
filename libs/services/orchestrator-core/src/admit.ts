import { countUnqueued, depthAhead, jobsAhead, offer } from '@berth/admission'
import type { GatewayId, JobId } from '@berth/kernel'
import type { Decision } from '@berth/placement'
import type { Core, Gateway } from './core-state.ts'
import { decide } from './decide.ts'
import { dispatchModel, dispatchPool, isSettling } from './dispatch.ts'
import { grant, voidLease } from './grant.ts'
import { closeWait, endWait, factsOf, refuse, rejectAsk } from './job-end.ts'
import type { Ask, JobSpec } from './job-spec.ts'
import { refuseEvicted, refuseExpired, refuseFull, refuseImpossible } from './refusal.ts'

/** No job says that it has waited longer: its place would be before everyone's, for ever. */
const MAX_WAITED_MS = 3_600_000
const TELL_AGAIN = -1

/** Gives a job a slot, a place in the queue, or a refusal. */
export const admit = (core: Core, gateway: Gateway, ask: Ask): void => {
  const { spec } = ask
  const known = core.queue.jobs.get(ask.jobId)
  if (known?.payload.gatewayId === gateway.gatewayId) {
    // Sent twice: it waits already, and its gateway wants to know where.
    known.payload.toldPosition = TELL_AGAIN
    return tellQueued(core, ask.jobId)
  }
  const refusal = refuseAtTheDoor(core, gateway, ask)
  if (refusal) return rejectAsk(core, gateway.gatewayId, ask, refusal)

  const now = core.clock.now()
  const arrivedAtMs = now - Math.min(ask.waitedMs, MAX_WAITED_MS)
  const exclusionsEndMs = now + core.policy.exclusionMs
  const ahead = depthAhead(core.queue, spec.modelId, spec.jobClass)
  const decision = decide(core, ask, exclusionsEndMs, ahead)
  if (decision.kind === 'impossible' && !mayStillAppear(core, decision)) {
    return rejectAsk(core, gateway.gatewayId, ask, refuseImpossible(decision.reason, spec))
  }
  if (decision.kind === 'assigned' && ahead === 0) {
    countUnqueued(core.queue, 'dispatched')
    const { pool, predictedEndMs } = decision
    const queuedMs = Math.round(now - arrivedAtMs)
    return grant(core, ask, { gatewayId: gateway.gatewayId, pool, predictedEndMs, queuedMs })
  }

  const admission = offer(core.queue, {
    ...{ jobId: ask.jobId, modelId: spec.modelId, jobClass: spec.jobClass, arrivedAtMs },
    expiresAtMs: arrivedAtMs + waitLimitMs(core, spec),
    payload: {
      ...{ ask, gatewayId: gateway.gatewayId, exclusionsEndMs, toldPosition: 0 },
      isModelInDoubt: !isKnown(core, spec),
    },
  })
  const startMs = decision.kind === 'wait' ? decision.predictedStartMs : 1_000
  if (admission.kind === 'rejected') {
    return refuse(core, gateway.gatewayId, ask, refuseFull(spec, startMs))
  }
  gateway.waiting += 1
  const { evicted } = admission
  if (evicted) {
    closeWait(core, evicted, 'evicted', refuseEvicted(evicted.payload.ask.spec, startMs))
  }
  // Whoever stands ahead may be held up by demands this job does not have.
  if (decision.kind === 'assigned') dispatchModel(core, spec.modelId)
  tellQueued(core, ask.jobId)
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

/** Tells a gateway where its job stands, when that is news. */
export const tellQueued = (core: Core, jobId: JobId): void => {
  const job = core.queue.jobs.get(jobId)
  if (!job) return
  const { ask, gatewayId, exclusionsEndMs } = job.payload
  const ahead = jobsAhead(core.queue, jobId)!
  const position = ahead + 1
  const key = core.gateways.get(gatewayId)?.key
  if (key === undefined || position === job.payload.toldPosition) return
  const isNew = job.payload.toldPosition === 0
  job.payload.toldPosition = position
  const decision = decide(core, ask, exclusionsEndMs, ahead)
  const reason = decision.kind === 'assigned' ? 'NO_CAPACITY' : decision.reason
  const unreadyMs = core.policy.placement.unreadyMs
  const predictedStartMs = decision.kind === 'wait' ? decision.predictedStartMs : unreadyMs
  core.effects.send(key, { kind: 'queued', jobId, position, predictedStartMs, reason })
  if (!isNew) return
  const facts = { position, predictedStartMs, reason }
  core.effects.report({ kind: 'job_queued', job: factsOf(ask), ...facts })
}

const refuseAtTheDoor = (core: Core, gateway: Gateway, ask: Ask) => {
  const { spec } = ask
  if (core.queue.jobs.has(ask.jobId)) {
    const message = `A job with the id ${ask.jobId} waits already.`
    return { ...refuseFull(spec, 0), reason: 'DUPLICATE_TASK', message, policyLabel: '' } as const
  }
  if (gateway.waiting >= core.policy.maxOutstanding) {
    return { ...refuseFull(spec, 1_000), policyLabel: 'gateway-outstanding' }
  }
  const isOver = ask.waitedMs > 0 && ask.waitedMs >= waitLimitMs(core, spec)
  return isOver ? refuseExpired(spec, ask.waitedMs) : undefined
}

/** Whether a host that was heard itself has the model. */
const isKnown = (core: Core, { modelId }: JobSpec): boolean =>
  core.view.poolsOfModel.get(modelId)?.some(({ host }) => host.isProven) ?? false

const mayStillAppear = (core: Core, decision: Decision): boolean =>
  decision.kind === 'impossible' && decision.reason === 'MODEL_NOT_FOUND' && isSettling(core)

/** Milliseconds from arrival after which a job no longer waits. */
const waitLimitMs = (core: Core, spec: JobSpec): number => {
  const limitMs = spec.maxWaitMs || core.policy.maxWaitMs[spec.jobClass]
  return spec.deadlineMs > 0 ? Math.min(limitMs, spec.deadlineMs) : limitMs
}
