import type { Metrics } from '@berth/runtime'

const PLACED = ['engine', 'engine_version', 'pool_id', 'replica_id'] as const
const SECONDS = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.001, 0.01]
const WAIT_MS = [1, 2, 5, 10, 50, 100, 500, 1_000, 5_000, 15_000, 60_000, 300_000]

/** The series of core. */
export type Series = ReturnType<typeof createSeries>

/** Registers what core counts. Names without the `berth_` prefix are the seeds' contract. */
export const createSeries = (metrics: Metrics) => {
  return {
    outcomes: metrics.counter({
      name: 'berth_job_outcome_total',
      help: 'Jobs by how they left admission; each has one outcome.',
      labelNames: ['outcome'],
    }),
    enqueued: metrics.counter({
      name: 'tasks_enqueued_total',
      help: 'Jobs that had to wait.',
      labelNames: [...PLACED, 'priority'],
    }),
    canceled: metrics.counter({
      name: 'tasks_canceled_total',
      help: 'Waiting jobs whose client left.',
      labelNames: [...PLACED, 'reason'],
    }),
    rejected: metrics.counter({
      name: 'tasks_rejected_total',
      help: 'Jobs that were refused, by error code.',
      labelNames: ['engine', 'reason'],
    }),
    tokensIn: metrics.counter({
      name: 'tokens_in_total',
      help: 'Prompt tokens of released leases.',
      labelNames: PLACED,
    }),
    tokensOut: metrics.counter({
      name: 'tokens_out_total',
      help: 'Produced tokens of released leases.',
      labelNames: PLACED,
    }),
    decisions: metrics.counter({
      name: 'placement_decisions_total',
      help: 'Placement decisions.',
      labelNames: ['outcome', 'pinned', 'fallback'],
    }),
    candidates: metrics.gauge({
      name: 'placement_candidates_considered',
      help: 'Pools the last decision looked at.',
    }),
    placeSeconds: metrics.histogram({
      name: 'berth_place_seconds',
      help: 'Duration of one placement decision.',
      buckets: SECONDS,
    }),
    admissionMs: metrics.histogram({
      name: 'admission_latency_ms',
      help: 'From arrival to dispatch, in milliseconds.',
      buckets: WAIT_MS,
    }),
    voided: metrics.counter({
      name: 'berth_leases_voided_total',
      help: 'Leases that ended without a release.',
      labelNames: ['cause'],
    }),
  }
}
