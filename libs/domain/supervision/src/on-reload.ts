import { drainThen, abandonLaunch } from './on-command.ts'
import type { CrashReport } from './driver.ts'
import { launch, move, stopInstance, unchanged, type Step } from './move.ts'
import { watchTimer } from './on-observed.ts'
import type { DrainDeadline } from './pool-state.ts'
import { enterReady } from './ready.ts'
import { endReload, type Reload } from './reload.ts'
import { stabilityTimers } from './stability.ts'
import type { StepContext, Supervised } from './supervised.ts'

const ASKED = 'reload was asked for'

/**
 * Another model for the pool. What serves is drained and stays up until the new model is on this
 * machine; where nothing serves there is nothing to keep, and the new model is launched at once.
 * The model it serves already is no change.
 */
export const reload = (
  pool: Supervised,
  event: {
    readonly model: string
    readonly deadlineMs: number
    readonly onDeadline: DrainDeadline
  },
  context: StepContext,
): Step => {
  if (!context.policy.hasProcess || pool.reload) return unchanged(pool)
  const { state } = pool
  const { model: to, onDeadline, deadlineMs: ms } = event
  const isSame = to === pool.model
  const begun = (phase: 'drain' | 'switch' | 'start'): Supervised => ({
    ...pool,
    isWanted: true,
    reload: { phase, to, from: pool.model, wasWanted: pool.isWanted },
  })
  switch (state.kind) {
    case 'ready':
    case 'draining':
      return isSame && (state.kind === 'ready' || state.goal === 'hold')
        ? unchanged(endReload(pool, { outcome: 'reloaded', to }))
        : drainThen(begun('drain'), { goal: 'reload', onDeadline, ms }, context)
    case 'preparing':
      return isSame
        ? unchanged(begun('start'))
        : abandonLaunch(begun('switch'), state.instanceId, 'restart', context)
    case 'starting':
      return isSame
        ? unchanged(begun('start'))
        : stopInstance(begun('switch'), state.instanceId, 'restart', context)
    case 'stopping':
      return unchanged({ ...begun('switch'), state: { ...state, goal: 'restart' } })
    case 'crashed':
      return unchanged(begun('switch'))
    case 'stopped':
    case 'backoff':
    case 'failed':
      return launch(begun('switch'), ASKED, false, context)
  }
}

/** Nothing runs on the old engine any more: it waits, up and idle, for the new model's files. */
export const stage = (pool: Supervised, context: StepContext): Step => {
  const { now, policy } = context
  const { state, reload: change } = pool
  if (state.kind !== 'draining' || change?.phase !== 'drain') return unchanged(pool)
  return move(
    { ...pool, reload: { ...change, phase: 'stage' } },
    state,
    `idle; ${change.to} is being staged`,
    {
      now,
      effects: [
        { kind: 'arm_timer', name: 'probe', ms: policy.probeIntervalMs },
        ...watchTimer(policy),
        ...stabilityTimers(state.readyAt, context),
        { kind: 'stage', model: change.to },
      ],
    },
  )
}

/** The new model is on this machine: the old engine makes room. */
export const staged = (
  pool: Supervised,
  { model }: { readonly model: string },
  context: StepContext,
): Step => {
  const { state, reload: change, deviceFault } = pool
  if (state.kind !== 'draining' || !isStaging(change, model)) return unchanged(pool)
  if (deviceFault !== undefined) return keep(pool, 'device_error', deviceFault, context)
  const next = { ...pool, reload: { ...change, phase: 'switch' } } as const
  return stopInstance(next, state.instanceId, 'restart', context)
}

/** The new model cannot be had: the old engine, which never stopped, takes requests again. */
export const stageFailed = (
  pool: Supervised,
  { model, report }: { readonly model: string; readonly report: CrashReport },
  context: StepContext,
): Step =>
  isStaging(pool.reload, model) ? keep(pool, report.kind, report.message, context) : unchanged(pool)

/** The reload is given up while the old engine runs: it serves on. */
export const keep = (
  pool: Supervised,
  cause: CrashReport['kind'] | 'active_requests',
  message: string,
  context: StepContext,
): Step => {
  const { state, reload: change } = pool
  if (state.kind !== 'draining' || !change) return unchanged(pool)
  const kept = endReload(pool, { outcome: 'kept', to: change.to, cause, message })
  return enterReady(kept, state, { reason: 'the reload was given up', lastError: message }, context)
}

const isStaging = (
  change: Reload | undefined,
  model: string,
): change is Reload & { readonly phase: 'stage' } =>
  change?.phase === 'stage' && change.to === model
