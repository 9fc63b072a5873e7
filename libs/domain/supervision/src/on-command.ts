import type { Effect } from './effect.ts'
import { watchTimer } from './on-observed.ts'
import { askedFor, launch, move, stopInstance, unchanged, type Step } from './move.ts'
import type { DrainDeadline, DrainGoal } from './pool-state.ts'
import { enterReady } from './ready.ts'
import { cancelReload } from './reload.ts'
import { stabilityTimers } from './stability.ts'
import type { StepContext, Supervised } from './supervised.ts'

const BY_HAND = 'start was asked for'

export const start = (pool: Supervised, context: StepContext): Step => {
  const wanted = { ...pool, isWanted: true }
  const { state } = pool
  switch (state.kind) {
    case 'stopped':
    case 'backoff':
    case 'failed':
      return launch(wanted, BY_HAND, false, context)
    case 'stopping':
      return unchanged({ ...wanted, state: { ...state, goal: 'restart' } })
    case 'draining':
      return state.goal === 'stop'
        ? enterReady(wanted, state, { reason: BY_HAND }, context)
        : unchanged(wanted)
    case 'preparing':
    case 'starting':
    case 'ready':
    case 'crashed':
      return unchanged(wanted)
  }
}

export const stop = (
  pool: Supervised,
  { drainMs }: { readonly drainMs: number },
  context: StepContext,
): Step => {
  const unwanted = { ...cancelReload(pool, 'stop was asked for'), isWanted: false }
  const { state } = pool
  switch (state.kind) {
    case 'stopped':
    case 'crashed':
      return unchanged(unwanted)
    case 'stopping':
      return unchanged({ ...unwanted, state: { ...state, goal: 'stop' } })
    case 'backoff':
    case 'failed':
      return move(unwanted, { kind: 'stopped' }, 'stop was asked for', { now: context.now })
    case 'preparing':
      return abandonLaunch(unwanted, state.instanceId, 'stop', context)
    case 'starting':
      return stopInstance(unwanted, state.instanceId, 'stop', context)
    case 'ready':
    case 'draining':
      return drainThen(unwanted, { goal: 'stop', onDeadline: 'force', ms: drainMs }, context)
  }
}

export const restart = (
  pool: Supervised,
  { drainMs }: { readonly drainMs: number },
  context: StepContext,
): Step => {
  const wanted = { ...cancelReload(pool, 'restart was asked for'), isWanted: true }
  const { state } = pool
  switch (state.kind) {
    case 'ready':
    case 'draining':
      return drainThen(wanted, { goal: 'restart', onDeadline: 'force', ms: drainMs }, context)
    case 'starting':
      return stopInstance(wanted, state.instanceId, 'restart', context)
    case 'preparing':
      return abandonLaunch(wanted, state.instanceId, 'restart', context)
    default:
      return start(wanted, context)
  }
}

export const drain = (
  pool: Supervised,
  event: { readonly deadlineMs: number; readonly onDeadline: DrainDeadline },
  context: StepContext,
): Step => {
  const cordoned = { ...pool, isCordoned: true }
  const { state } = pool
  if (state.kind !== 'ready' && !(state.kind === 'draining' && state.goal === 'hold'))
    return unchanged(cordoned)
  const { onDeadline, deadlineMs } = event
  return drainThen(cordoned, { goal: 'hold', onDeadline, ms: deadlineMs }, context)
}

export const undrain = (pool: Supervised, context: StepContext): Step => {
  const open = { ...pool, isCordoned: false }
  const { state } = pool
  return state.kind === 'draining' && state.goal === 'hold'
    ? enterReady(open, state, { reason: 'undrain was asked for' }, context)
    : unchanged(open)
}

/** The launch is under way and cannot be taken back: what it brings is ended when it comes. */
export const abandonLaunch = (
  pool: Supervised,
  instanceId: string,
  goal: 'stop' | 'restart',
  { now }: StepContext,
): Step =>
  move(pool, { kind: 'stopping', instanceId, goal, kills: 0 }, askedFor(pool, goal), { now })

/** Nothing new; what leads on follows when all is done, or at the deadline. */
export const drainThen = (
  pool: Supervised,
  to: { readonly goal: DrainGoal; readonly onDeadline: DrainDeadline; readonly ms: number },
  context: StepContext,
): Step => {
  const { state } = pool
  if (state.kind !== 'ready' && state.kind !== 'draining') return unchanged(pool)
  const { goal, onDeadline, ms } = to
  if ((goal === 'stop' || goal === 'restart') && ms === 0) {
    const stopped = stopInstance(pool, state.instanceId, goal, context)
    return { ...stopped, effects: [{ kind: 'abort_requests' }, ...stopped.effects] }
  }
  const { instanceId, readyAt, failures, isDegraded, stall } = state
  const serving = { instanceId, readyAt, failures, isDegraded, ...(stall ? { stall } : {}) }
  const effects: Effect[] = [
    { kind: 'arm_timer', name: 'probe', ms: context.policy.probeIntervalMs },
    ...watchTimer(context.policy),
    ...stabilityTimers(readyAt, context),
    { kind: 'arm_timer', name: 'drain', ms },
    { kind: 'await_idle', instanceId },
  ]
  return move(
    pool,
    { kind: 'draining', goal, onDeadline, ...serving },
    goal === 'hold' ? 'drain was asked for' : `${goal} was asked for`,
    { now: context.now, effects },
  )
}
