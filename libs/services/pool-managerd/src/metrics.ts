import type { Metrics } from '@berth/runtime'
import type { Pool } from './pool/pool.ts'

/** The series of the agent that are counted where they happen. */
export interface AgentMetrics {
  readonly transitions: Counter<'pool_id' | 'from' | 'to'>
  readonly restarts: Counter<'pool_id' | 'reason'>
  readonly backoffs: Counter<'pool_id'>
  readonly probeFailures: Counter<'pool_id'>
  readonly refusals: Counter<'pool_id' | 'reason'>
  readonly requests: Counter<'pool_id' | 'outcome'>
  readonly tokens: Counter<'pool_id' | 'direction'>
}

interface Counter<L extends string> {
  inc(labels: Readonly<Record<L, string>>, by?: number): void
}

export const createAgentMetrics = (metrics: Metrics): AgentMetrics => ({
  transitions: metrics.counter({
    name: 'berth_pool_transitions_total',
    help: 'Changes of state of a pool.',
    labelNames: ['pool_id', 'from', 'to'],
  }),
  restarts: metrics.counter({
    name: 'berth_pool_restarts_total',
    help: 'Restarts of an engine, by the crash that led to them.',
    labelNames: ['pool_id', 'reason'],
  }),
  backoffs: metrics.counter({
    name: 'berth_pool_backoffs_total',
    help: 'Waits before a restart.',
    labelNames: ['pool_id'],
  }),
  probeFailures: metrics.counter({
    name: 'berth_probe_failures_total',
    help: 'Health checks that failed.',
    labelNames: ['pool_id'],
  }),
  refusals: metrics.counter({
    name: 'berth_ingress_refusals_total',
    help: 'Requests the ingress refused.',
    labelNames: ['pool_id', 'reason'],
  }),
  requests: metrics.counter({
    name: 'berth_ingress_requests_total',
    help: 'Requests relayed to an engine, by how they ended.',
    labelNames: ['pool_id', 'outcome'],
  }),
  tokens: metrics.counter({
    name: 'berth_ingress_tokens_total',
    help: 'Tokens engines reported, by direction.',
    labelNames: ['pool_id', 'direction'],
  }),
})

/** Gauges that are read from the pools when somebody scrapes. */
export const watchPools = (metrics: Metrics, pools: readonly Pool[]) => {
  const perPool = (name: string, help: string, read: (pool: Pool) => number) => {
    const gauge = metrics.gauge({
      name,
      help,
      labelNames: ['pool_id'],
      collect: () => {
        for (const pool of pools) gauge.set({ pool_id: pool.spec.poolId }, read(pool))
      },
    })
  }
  perPool('berth_pool_ready', '1 while the pool takes requests.', ({ supervised }) =>
    supervised.state.kind === 'ready' ? 1 : 0,
  )
  perPool('berth_pool_slots_total', 'Requests the engine runs at once.', (p) => p.slots.total)
  perPool('berth_pool_slots_free', 'Slots not in use.', (p) => p.slots.free)
  perPool('berth_pool_active_leases', 'Slots in use.', (p) => p.slots.active)
  perPool('berth_ingress_inflight', 'Requests at the engine.', (p) => p.slots.active)
  perPool('berth_pool_backoff_seconds', 'Wait before the next restart; 0 when none.', (p) =>
    p.supervised.state.kind === 'backoff' ? p.supervised.state.delayMs / 1_000 : 0,
  )
  perPool('berth_breaker_state', '1 while the restart breaker is open.', ({ supervised }) =>
    supervised.state.kind === 'failed' && supervised.state.reason === 'breaker' ? 1 : 0,
  )
}
