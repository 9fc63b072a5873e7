import type { Metrics } from '@berth/runtime'

/** The series of core that are counted where they happen. */
export type Series = ReturnType<typeof createSeries>

/** Registers what core counts. What each means stands in the registry of series. */
export const createSeries = (metrics: Metrics) => ({
  enqueued: metrics.counter('tasks_enqueued_total'),
  started: metrics.counter('tasks_started_total'),
  canceled: metrics.counter('tasks_canceled_total'),
  rejected: metrics.counter('tasks_rejected_total'),
  tokensIn: metrics.counter('tokens_in_total'),
  tokensOut: metrics.counter('tokens_out_total'),
  backpressure: metrics.counter('admission_backpressure_events_total'),
  decisions: metrics.counter('placement_decisions_total'),
  candidates: metrics.gauge('placement_candidates_considered'),
  admissionMs: metrics.histogram('admission_latency_ms'),
  firstTokenMs: metrics.histogram('latency_first_token_ms'),
  decodeMs: metrics.histogram('latency_decode_ms'),
  outcomes: metrics.counter('berth_job_outcome_total'),
  placeSeconds: metrics.histogram('berth_place_seconds'),
  reloads: metrics.counter('berth_config_reloads_total'),
  voided: metrics.counter('berth_leases_voided_total'),
})
