import type { Effect } from './effect.ts'
import { watchTimer } from './on-observed.ts'
import { move, type Step } from './move.ts'
import type { PoolState } from './pool-state.ts'
import { settleReload } from './reload.ts'
import { stabilityTimers } from './stability.ts'
import type { StepContext, Supervised } from './supervised.ts'

type Running = Extract<PoolState, { readonly kind: 'starting' | 'ready' | 'draining' }>

/** An instance whose probes pass takes requests, unless a drain or a device holds the pool. */
export const enterReady = (
  pool: Supervised,
  from: Running,
  why: { readonly reason: string; readonly isDegraded?: boolean; readonly lastError?: string },
  context: StepContext,
): Step => {
  const { now, policy } = context
  const { instanceId } = from
  const { reason, isDegraded = from.kind !== 'starting' && from.isDegraded } = why
  const readyAt = from.kind === 'starting' ? now : from.readyAt
  const failures = from.kind === 'starting' ? 0 : from.failures
  const stall = from.kind === 'starting' ? undefined : from.stall
  const serving = { instanceId, readyAt, failures, isDegraded, ...(stall ? { stall } : {}) }
  const effects: Effect[] = [
    { kind: 'arm_timer', name: 'probe', ms: policy.probeIntervalMs },
    ...watchTimer(policy),
    ...stabilityTimers(readyAt, context),
  ]
  const isNew = from.kind === 'starting' && pool.reload?.phase === 'start'
  if (isNew) effects.push({ kind: 'keep_model', model: pool.model })
  const cleared = { ...pool, lastError: why.lastError ?? '', failedLoads: 0 }
  const well = from.kind === 'starting' ? settleReload(cleared) : cleared
  const holder = pool.isCordoned ? 'a drain' : 'a fault of its device'
  return pool.isCordoned || pool.deviceFault !== undefined
    ? move(
        well,
        { kind: 'draining', goal: 'hold', onDeadline: 'force', ...serving },
        `${reason}; ${holder} holds the pool`,
        { now, effects },
      )
    : move(well, { kind: 'ready', ...serving }, reason, { now, effects })
}
