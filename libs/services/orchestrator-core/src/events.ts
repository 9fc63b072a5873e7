import type { FleetView } from '@berth/fleet'
import { unreachable } from '@berth/kernel'
import type { RpcLog } from '@berth/rpc'
import type { CoreEvent } from './core-event.ts'
import { createJobRecords } from './job-records.ts'
import { reportEnd, reportQueued, reportReleased, reportVoided } from './report-job.ts'
import type { Reporting } from './report-job.ts'
import type { Series } from './series.ts'

/** What reports go to, and the view that says which engine a pool has. */
export interface ReporterOptions {
  readonly series: Series
  readonly log: RpcLog
  readonly view: () => FleetView
}

/** Turns each event of core, in the order they happen, into its series and one line. */
export const createReporter = (options: ReporterOptions): ((event: CoreEvent) => void) => {
  const to: Reporting = { ...options, records: createJobRecords() }
  return (event) => {
    switch (event.kind) {
      case 'decided':
        return reportDecision(to, event)
      case 'job_queued':
        return reportQueued(to, event)
      case 'job_ended':
        return reportEnd(to, event)
      case 'lease_released':
        return reportReleased(to, event)
      case 'lease_voided':
        return reportVoided(to, event)
      default:
        return logEvent(to.log, event)
    }
  }
}

type OfJob = 'decided' | 'job_queued' | 'job_ended' | 'lease_released' | 'lease_voided'

const logEvent = (log: RpcLog, event: Exclude<CoreEvent, { readonly kind: OfJob }>): void => {
  switch (event.kind) {
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

const reportDecision = (
  { series, log }: Reporting,
  { entry, tookMs }: Extract<CoreEvent, { readonly kind: 'decided' }>,
) => {
  series.decisions.inc({
    outcome: entry.kind === 'assigned' ? 'assigned' : 'no_capacity',
    pinned: String(entry.isPinned),
    fallback: String(entry.isFallback),
  })
  series.candidates.set(entry.tally.candidates)
  series.placeSeconds.observe({}, tookMs / 1_000)
  log.debug(
    {
      job_id: entry.jobId,
      correlation_id: entry.correlationId,
      model_id: entry.modelId,
      decision: entry.kind,
      pool_id: entry.poolId,
      reason: entry.reason,
      predicted_end_ms: entry.predictedEndMs,
      candidates_total: entry.tally.candidates,
      candidates_feasible: entry.tally.feasible,
      tie_break: entry.tally.tieBreak,
      pinned: entry.isPinned,
      fallback_used: entry.isFallback,
      attempts: entry.attempts,
    },
    'decided',
  )
}
