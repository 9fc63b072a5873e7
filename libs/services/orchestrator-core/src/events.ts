import type { RpcLog } from '@berth/rpc'
import { unreachable } from '@berth/kernel'
import type { CoreEvent } from './core-event.ts'
import type { Series } from './series.ts'

/** What `queue_depth` reads while no pool is chosen. */
const UNASSIGNED = { engine: 'unassigned', engine_version: 'unassigned', pool_id: 'unassigned' }

/** One line and its series for each event of core. */
export const reportEvent = (series: Series, log: RpcLog, event: CoreEvent): void => {
  switch (event.kind) {
    case 'decided':
      return onDecided(series, event)
    case 'job_queued':
      series.enqueued.inc({ ...UNASSIGNED, replica_id: 'unassigned', priority: event.job.jobClass })
      return log.info(
        {
          ...jobFields(event.job),
          queue_position: event.position,
          predicted_start_ms: event.predictedStartMs,
          reason: event.reason,
        },
        'job queued',
      )
    case 'job_ended':
      return onJobEnded(series, log, event)
    case 'lease_released':
      return onReleased(series, log, event)
    case 'lease_voided': {
      series.voided.inc({ cause: event.cause })
      const fields = { lease_id: event.leaseId, pool_id: event.poolId, cause: event.cause }
      return log.warn(fields, 'lease voided')
    }
    case 'gateway_joined':
      return log.info({ gateway_id: event.gatewayId, leases: event.leases }, 'gateway joined')
    case 'gateway_left':
      return log.info({ gateway_id: event.gatewayId, jobs: event.jobs }, 'gateway left')
    case 'host_applied': {
      const fields = { host_id: event.hostId, epoch: event.epoch }
      return event.isNewEpoch ? log.info(fields, 'host joined') : log.debug(fields, 'host changed')
    }
    case 'host_offline':
      return log.warn({ host_id: event.hostId, pools: event.pools }, 'host offline')
    case 'host_keyed':
      return log.info({ host_id: event.hostId, epoch: event.epoch }, 'host has the lease key')
    case 'host_conflict': {
      const fields = { host_id: event.hostId, ignored_address: event.ignoredAddress }
      return log.error(fields, 'host id is used by two agents: the older is ignored')
    }
    case 'pool_conflict': {
      const fields = { pool_id: event.poolId, host_id: event.hostId }
      return log.error(fields, 'pool id is claimed by two hosts: the second is ignored')
    }
    case 'leading':
      return log.info({ term: event.term }, 'leading')
    case 'following':
      return log.info({ term: event.term, address: event.address }, 'following')
    case 'ages':
      return event.frozen
        ? log.warn({}, 'bus disconnected: host ages stand still')
        : log.info({}, 'bus connected')
    default:
      return unreachable(event)
  }
}

const onDecided = (series: Series, event: Extract<CoreEvent, { kind: 'decided' }>) => {
  series.decisions.inc({
    outcome: event.outcome === 'assigned' ? 'assigned' : 'no_capacity',
    pinned: String(event.isPinned),
    fallback: String(event.isFallback),
  })
  series.candidates.set(event.candidates)
  series.placeSeconds.observe(event.tookMs / 1_000)
}

const onJobEnded = (
  series: Series,
  log: RpcLog,
  event: Extract<CoreEvent, { kind: 'job_ended' }>,
) => {
  series.outcomes.inc({ outcome: event.outcome })
  const { job, outcome, reason, queuedMs, poolId, leaseId } = event
  const fields = {
    ...jobFields(job),
    ...{ outcome, reason, queued_ms: Math.round(queuedMs), pool_id: poolId, lease_id: leaseId },
  }
  switch (outcome) {
    case 'dispatched':
      series.admissionMs.observe(queuedMs)
      return log.info(fields, 'job dispatched')
    case 'cancelled': {
      const labels = { ...UNASSIGNED, replica_id: 'unassigned', reason: 'client' }
      series.canceled.inc(labels)
      return log.info(fields, 'job cancelled')
    }
    case 'rejected':
    case 'evicted':
    case 'expired':
      series.rejected.inc({ engine: 'unassigned', reason: reason ?? 'INTERNAL' })
      return log.info(fields, 'job refused')
  }
}

const onReleased = (
  series: Series,
  log: RpcLog,
  event: Extract<CoreEvent, { kind: 'lease_released' }>,
) => {
  const { result, poolId, engine, engineVersion } = event
  const labels = { engine, engine_version: engineVersion, pool_id: poolId, replica_id: poolId }
  series.tokensIn.inc(labels, result.tokensIn)
  series.tokensOut.inc(labels, result.tokensOut)
  log.info(
    {
      lease_id: event.leaseId,
      outcome: result.outcome,
      pool_id: poolId,
      ...{ engine, engine_version: engineVersion },
      ...{ tokens_in: result.tokensIn, tokens_out: result.tokensOut },
      ...{ first_token_ms: result.firstTokenMs, decode_time_ms: result.decodeMs },
    },
    'lease released',
  )
}

const jobFields = (job: Extract<CoreEvent, { kind: 'job_queued' }>['job']) => ({
  job_id: job.jobId,
  model_id: job.modelId,
  priority: job.jobClass,
  correlation_id: job.correlationId,
  ...(job.sessionId === '' ? {} : { session_id: job.sessionId }),
})
