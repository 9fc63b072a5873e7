import type { FleetView } from '@berth/fleet'
import { assert, unreachable, type Reason } from '@berth/kernel'
import type { RpcLog } from '@berth/rpc'
import type { CoreEvent, JobFacts } from './core-event.ts'
import type { JobRecords } from './job-records.ts'
import { UNASSIGNED, engineOfModel, placedOn } from './placed-labels.ts'
import type { Series } from './series.ts'

/** What reports go to, and what they are made from. */
export interface Reporting {
  readonly series: Series
  readonly log: RpcLog
  readonly view: () => FleetView
  readonly records: JobRecords
}

type EventOf<Kind extends CoreEvent['kind']> = Extract<CoreEvent, { readonly kind: Kind }>

export const reportQueued = ({ series, log, records }: Reporting, event: EventOf<'job_queued'>) => {
  const { job, position, predictedStartMs, reason } = event
  records.queued(job.jobId, { position, predictedStartMs })
  series.enqueued.inc({ ...UNASSIGNED, priority: job.jobClass })
  const place = { queue_position: position, predicted_start_ms: Math.round(predictedStartMs) }
  log.info({ ...jobFields(job), ...UNASSIGNED, ...place, reason }, 'job queued')
}

/** A job leaves admission: with a slot, or with nothing. */
export const reportEnd = (to: Reporting, event: EventOf<'job_ended'>): void => {
  const { series, log, view, records } = to
  const { job, outcome, reason, queuedMs, poolId, leaseId } = event
  series.outcomes.inc({ outcome })
  const { position, predictedStartMs } = records.takeQueued(job.jobId)
  const fields = {
    ...jobFields(job),
    ...(poolId === undefined ? UNASSIGNED : placedOn(view(), poolId)),
    queue_position: position,
    predicted_start_ms: Math.round(predictedStartMs),
    queued_ms: Math.round(queuedMs),
    ...{ outcome, reason, lease_id: leaseId },
    ...(event.seed === undefined ? {} : { seed: String(event.seed) }),
  }
  switch (outcome) {
    case 'dispatched': {
      assert(poolId !== undefined && leaseId !== undefined, 'a dispatched job has a lease')
      const placed = placedOn(view(), poolId)
      series.started.inc({ ...placed, priority: job.jobClass })
      series.admissionMs.observe({}, queuedMs)
      records.dispatched(leaseId, { job, placed, position, predictedStartMs, queuedMs })
      return log.info(fields, 'job dispatched')
    }
    case 'cancelled':
      series.canceled.inc({ ...UNASSIGNED, reason: event.cause ?? 'client' })
      return log.info({ ...fields, cause: event.cause ?? 'client' }, 'job cancelled')
    case 'rejected':
    case 'evicted':
    case 'expired': {
      const engine = engineOfModel(view(), job.modelId)
      series.rejected.inc({ engine, reason: reason ?? 'INTERNAL' })
      const policy = reason && POLICY_OF[reason]
      if (policy !== undefined) series.backpressure.inc({ engine, policy })
      return log.info({ ...fields, engine }, 'job refused')
    }
    default:
      return unreachable(outcome)
  }
}

/** What a full queue did. */
const POLICY_OF: Readonly<Partial<Record<Reason, string>>> = {
  ADMISSION_REJECT: 'reject',
  QUEUE_FULL_DROP_LRU: 'drop-lru',
}

/** The end of a job: one line that says everything of it. */
export const reportReleased = (to: Reporting, event: EventOf<'lease_released'>): void => {
  const { series, log, records } = to
  const { result, leaseId, jobId } = event
  const record = records.takeDispatched(leaseId)
  const placed = record?.placed ?? {
    ...{ engine: event.engine || 'unknown', engine_version: event.engineVersion || 'unknown' },
    ...{ pool_id: event.poolId, replica_id: event.poolId },
  }
  series.tokensIn.inc(placed, result.tokensIn)
  series.tokensOut.inc(placed, result.tokensOut)
  if (result.outcome === 'client_gone') series.canceled.inc({ ...placed, reason: 'client' })
  // Of a lease of an earlier leader neither the wait nor the class is known.
  if (record) observeLatency(series, record, result)
  log.info(
    {
      ...(record ? jobFields(record.job) : { job_id: jobId }),
      ...placed,
      ...(record
        ? {
            queue_position: record.position,
            predicted_start_ms: Math.round(record.predictedStartMs),
            queued_ms: Math.round(record.queuedMs),
          }
        : {}),
      ...{ lease_id: leaseId, outcome: result.outcome },
      ...{ tokens_in: result.tokensIn, tokens_out: result.tokensOut },
      ...{ first_token_ms: result.firstTokenMs, decode_time_ms: result.decodeMs },
    },
    'lease released',
  )
}

const observeLatency = (
  series: Series,
  { job, placed, queuedMs }: NonNullable<ReturnType<JobRecords['takeDispatched']>>,
  result: EventOf<'lease_released'>['result'],
) => {
  const { replica_id: _, ...pool } = placed
  const labels = { ...pool, priority: job.jobClass }
  // 0: nothing came. A gateway measures more than that for anything that did.
  if (result.firstTokenMs > 0) series.firstTokenMs.observe(labels, queuedMs + result.firstTokenMs)
  if (result.outcome === 'completed' && result.firstTokenMs > 0) {
    series.decodeMs.observe(labels, result.decodeMs)
  }
}

/** A lease ended without its gateway's word. */
export const reportVoided = (to: Reporting, event: EventOf<'lease_voided'>): void => {
  const { leaseId, jobId, poolId, cause } = event
  to.series.voided.inc({ cause })
  const record = to.records.takeDispatched(leaseId)
  const placed = record?.placed ?? placedOn(to.view(), poolId)
  const facts = record ? jobFields(record.job) : { job_id: jobId }
  to.log.warn({ ...facts, ...placed, lease_id: leaseId, cause }, 'lease voided')
}

const jobFields = (job: JobFacts) => ({
  job_id: job.jobId,
  session_id: job.sessionId === '' ? null : job.sessionId,
  correlation_id: job.correlationId,
  model_id: job.modelId,
  priority: job.jobClass,
})
