import { unreachable } from '@berth/kernel'
import type { CrashReport } from './driver.ts'
import { crash, launch, stopInstance, unchanged, type Step } from './move.ts'
import { KILL_AGAIN_MS } from './on-instance.ts'
import { keep, stage } from './on-reload.ts'
import { instanceOf, type DrainDeadline } from './pool-state.ts'
import { enterReady } from './ready.ts'
import type { StepContext, Supervised } from './supervised.ts'
import type { TimerName } from './supervision-event.ts'

/**
 * An engine that only prints never gets ready: this many load timeouts after it last came further,
 * by bytes or phases, end it all the same.
 */
const LOAD_EXTENSIONS = 10

export const timer = (pool: Supervised, name: TimerName, context: StepContext): Step => {
  switch (name) {
    case 'life':
      return life(pool, context)
    case 'load':
      return load(pool, context)
    case 'probe':
      return probe(pool)
    case 'watch':
      return observe(pool)
    case 'kill':
      return kill(pool)
    case 'backoff':
      return pool.state.kind === 'backoff'
        ? launch(pool, 'restarting after a crash', true, context)
        : unchanged(pool)
    case 'reopen':
      return pool.state.kind === 'failed' && pool.isWanted
        ? launch(pool, 'one trial of the open breaker', true, context)
        : unchanged(pool)
    case 'drain':
      return drainDeadline(pool, context)
    case 'settle':
      return unchanged({ ...pool, history: { ...pool.history, openings: 0 } })
    case 'stable':
      return unchanged({ ...pool, history: { ...pool.history, attempts: 0 } })
    default:
      return unreachable(name)
  }
}

const life = (pool: Supervised, context: StepContext): Step => {
  const { state } = pool
  if (state.kind !== 'starting' || state.hasSignOfLife) return unchanged(pool)
  const { startTimeoutMs } = context.policy
  return timedOut(
    pool,
    state.instanceId,
    `No line of output and no open port within ${startTimeoutMs / 1000} s of the start. ` +
      'Look at its log, or raise lifecycle.start_timeout_s.',
    context,
  )
}

const load = (pool: Supervised, context: StepContext): Step => {
  const { state } = pool
  if (state.kind !== 'starting') return unchanged(pool)
  const { now, policy } = context
  const end = Math.min(
    state.progressAt + policy.loadTimeoutMs,
    (state.load?.advancedAt ?? state.startedAt) + LOAD_EXTENSIONS * policy.loadTimeoutMs,
  )
  if (now < end)
    return { pool, effects: [{ kind: 'arm_timer', name: 'load', ms: Math.ceil(end - now) }] }
  return timedOut(
    pool,
    state.instanceId,
    `Not ready ${Math.round((now - state.startedAt) / 100) / 10} s after the start. ` +
      'Look at its log, or raise lifecycle.model_load_timeout_s.',
    context,
  )
}

const timedOut = (
  pool: Supervised,
  instanceId: string,
  message: string,
  { now, policy, poolId }: StepContext,
): Step => {
  const report: CrashReport = { kind: 'start_timeout', message, isRetriable: true }
  const graceMs = policy.stopGraceMs
  return crash(pool, instanceId, report, { now, poolId, isRunning: true, graceMs })
}

const probe = (pool: Supervised): Step => {
  const { state } = pool
  return state.kind === 'starting' || state.kind === 'ready' || state.kind === 'draining'
    ? { pool, effects: [{ kind: 'probe', instanceId: state.instanceId }] }
    : unchanged(pool)
}

const observe = (pool: Supervised): Step => {
  const { state } = pool
  return state.kind === 'ready' || state.kind === 'draining'
    ? { pool, effects: [{ kind: 'observe', instanceId: state.instanceId }] }
    : unchanged(pool)
}

const kill = (pool: Supervised): Step => {
  const { state } = pool
  const instanceId = instanceOf(state)
  if ((state.kind !== 'stopping' && state.kind !== 'crashed') || instanceId === undefined)
    return unchanged(pool)
  const stuck = 'Its processes outlive SIGKILL: the kernel holds them. See ps -o stat,wchan.'
  return {
    pool: {
      ...pool,
      lastError: state.kills > 0 ? stuck : pool.lastError,
      state: { ...state, kills: state.kills + 1 },
    },
    effects: [
      { kind: 'signal', instanceId, signal: 'SIGKILL' },
      { kind: 'arm_timer', name: 'kill', ms: KILL_AGAIN_MS },
    ],
  }
}

const drainDeadline = (pool: Supervised, context: StepContext): Step => {
  const { state } = pool
  if (state.kind !== 'draining') return unchanged(pool)
  if (state.goal === 'reload') return reloadDeadline(pool, state.onDeadline, context)
  if (state.onDeadline === 'abort')
    return enterReady(
      { ...pool, isCordoned: false },
      state,
      { reason: 'the drain was given up at its deadline' },
      context,
    )
  if (state.goal === 'hold') return { pool, effects: [{ kind: 'abort_requests' }] }
  const stopped = stopInstance(pool, state.instanceId, state.goal, context)
  return { ...stopped, effects: [{ kind: 'abort_requests' }, ...stopped.effects] }
}

/** What still runs is ended, or keeps its engine. */
const reloadDeadline = (
  pool: Supervised,
  onDeadline: DrainDeadline,
  context: StepContext,
): Step => {
  if (onDeadline === 'abort') {
    const message =
      'Requests outlived the drain, and the model stays. ' +
      'Ask again with a longer deadline_ms, or with on_deadline "force".'
    return keep(pool, 'active_requests', message, context)
  }
  const next = stage(pool, context)
  return { ...next, effects: [{ kind: 'abort_requests' }, ...next.effects] }
}
