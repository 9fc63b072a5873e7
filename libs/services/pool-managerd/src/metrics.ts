import type { Metrics } from '@berth/runtime'

/** The series of the agent that are counted where they happen. */
export interface AgentMetrics {
  readonly transitions: Counter<'pool_id' | 'from' | 'to'>
  readonly restarts: Counter<'pool_id' | 'reason'>
  readonly backoffs: Counter<'pool_id'>
  readonly probeFailures: Counter<'pool_id'>
  readonly refusals: Counter<'pool_id' | 'reason'>
  readonly requests: Counter<'pool_id' | 'outcome'>
  readonly tokens: Counter<'pool_id' | 'direction'>
  /** Seconds an engine worked for a client that had left. */
  readonly orphanedSeconds: Counter<'pool_id'>
  readonly drainSeconds: Histogram<'pool_id'>
  /** From the start of an engine until it takes requests. */
  readonly loadSeconds: Histogram<'engine'>
}

interface Counter<L extends string> {
  inc(labels: Readonly<Record<L, string>>, by?: number): void
}

interface Histogram<L extends string> {
  observe(labels: Readonly<Record<L, string>>, value: number): void
}

export const createAgentMetrics = (metrics: Metrics): AgentMetrics => ({
  transitions: metrics.counter('berth_pool_transitions_total'),
  restarts: metrics.counter('berth_pool_restarts_total'),
  backoffs: metrics.counter('berth_pool_backoffs_total'),
  probeFailures: metrics.counter('berth_probe_failures_total'),
  refusals: metrics.counter('berth_ingress_refusals_total'),
  requests: metrics.counter('berth_ingress_requests_total'),
  tokens: metrics.counter('berth_ingress_tokens_total'),
  orphanedSeconds: metrics.counter('berth_orphaned_gpu_seconds_total'),
  drainSeconds: metrics.histogram('berth_drain_seconds'),
  loadSeconds: metrics.histogram('berth_model_load_seconds'),
})
