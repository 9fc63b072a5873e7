import type { Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { Effect, LoadProgress, PoolStateKind, Supervised } from '@berth/supervision'
import type { AgentMetrics } from '../metrics.ts'
import type { AgentEvents } from '../publish/agent-events.ts'
import type { Check } from './ask-all.ts'
import type { Pool } from './pool.ts'

type EffectOf<Kind extends Effect['kind']> = Extract<Effect, { readonly kind: Kind }>

/** Tells log, counters and the event stream what happens to a pool. */
export interface PoolReporter {
  transitioned(pool: Supervised, effect: EffectOf<'transitioned'>): void
  instanceEnded(effect: EffectOf<'instance_ended'>): void
  checked(pool: Supervised, check: Check): void
  /** At most twice a second. */
  loadChanged(progress: LoadProgress): void
}

export interface PoolReporterOptions {
  readonly clock: Clock
  /** Carries what of the pool never changes. */
  readonly log: Logger
  readonly metrics: AgentMetrics
  readonly events: AgentEvents
}

const SERVING: ReadonlySet<PoolStateKind> = new Set(['ready', 'draining'])

export const createPoolReporter = (find: () => Pool, to: PoolReporterOptions): PoolReporter => {
  const { clock, log, metrics, events } = to
  let enteredAt = clock.now()

  /** What every line about a pool tells, as it is now. */
  const facts = ({ spec, supervised, engineVersion }: Pool) => ({
    model_id: spec.engine.modelId,
    engine_version: engineVersion,
    restart_count: supervised.history.total,
    backoff_ms: supervised.state.kind === 'backoff' ? supervised.state.delayMs : 0,
    last_error: supervised.lastError,
  })
  const timed = ({ from, to: next }: EffectOf<'transitioned'>, { spec, keeper }: Pool) => {
    const seconds = (clock.now() - enteredAt) / 1_000
    enteredAt = clock.now()
    if (from === 'draining') metrics.drainSeconds.observe({ pool_id: spec.poolId }, seconds)
    if (from === 'starting' && next === 'ready' && !keeper?.ownsModel)
      metrics.loadSeconds.observe({ engine: spec.engine.engine }, seconds)
  }
  return {
    transitioned: (_supervised, effect) => {
      const pool = find()
      const { from, to: next, reason, instanceId } = effect
      const change = { from, to: next, reason, instance_id: instanceId }
      log.info({ ...facts(pool), ...change }, 'pool changed state')
      metrics.transitions.inc({ pool_id: pool.spec.poolId, from, to: next })
      timed(effect, pool)
      events.poolTransition(pool.spec.poolId, effect)
    },
    instanceEnded: (effect) => {
      const pool = find()
      const { poolId } = pool.spec
      const { report, exit, backoffMs, instanceId } = effect
      log.error(
        {
          ...facts(pool),
          instance_id: instanceId,
          crash_kind: report.kind,
          exit_code: exit?.code ?? undefined,
          signal: exit?.signal ?? undefined,
          backoff_ms: backoffMs,
          last_error: report.message,
        },
        'engine ended',
      )
      if (backoffMs !== undefined) {
        metrics.backoffs.inc({ pool_id: poolId })
        metrics.restarts.inc({ pool_id: poolId, reason: report.kind })
      }
      events.instanceExited(poolId, effect)
    },
    loadChanged: (progress) => events.loadChanged(find().spec.poolId, progress),
    // An engine that loads is no failure: it may refuse connections for minutes.
    checked: ({ state }, { result }) => {
      if ('fact' in result && SERVING.has(state.kind))
        metrics.probeFailures.inc({ pool_id: find().spec.poolId })
    },
  }
}
