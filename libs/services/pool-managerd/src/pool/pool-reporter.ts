import type { Logger } from '@berth/runtime'
import type { Effect, PoolStateKind, Supervised } from '@berth/supervision'
import type { AgentMetrics } from '../metrics.ts'
import type { AgentEvents } from '../publish/agent-events.ts'
import type { Check } from './ask-all.ts'

type EffectOf<Kind extends Effect['kind']> = Extract<Effect, { readonly kind: Kind }>

/** Tells log, counters and the event stream what happens to a pool. */
export interface PoolReporter {
  transitioned(pool: Supervised, effect: EffectOf<'transitioned'>): void
  instanceEnded(effect: EffectOf<'instance_ended'>): void
  checked(pool: Supervised, check: Check): void
}

const SERVING: ReadonlySet<PoolStateKind> = new Set(['ready', 'draining'])

export const createPoolReporter = (
  poolId: string,
  to: { readonly log: Logger; readonly metrics: AgentMetrics; readonly events: AgentEvents },
): PoolReporter => {
  const { log, metrics, events } = to
  return {
    transitioned: ({ history, lastError }, effect) => {
      log.info(
        {
          from: effect.from,
          to: effect.to,
          reason: effect.reason,
          instance_id: effect.instanceId,
          restart_count: history.total,
          last_error: lastError,
        },
        'pool changed state',
      )
      metrics.transitions.inc({ pool_id: poolId, from: effect.from, to: effect.to })
      events.poolTransition(poolId, effect)
    },
    instanceEnded: (effect) => {
      const { report, exit, backoffMs, instanceId } = effect
      log.error(
        {
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
    // An engine that loads is no failure: it may refuse connections for minutes.
    checked: ({ state }, { result }) => {
      if ('fact' in result && SERVING.has(state.kind))
        metrics.probeFailures.inc({ pool_id: poolId })
    },
  }
}
