import type { CrashReport, EngineExit } from './driver.ts'
import {
  afterCrash,
  askedFor,
  clearAway,
  crash,
  launch,
  move,
  stopInstance,
  unchanged,
  type Step,
} from './move.ts'
import { stage } from './on-reload.ts'
import type { StepContext, Supervised } from './supervised.ts'

/** After SIGKILL the group is gone in moments; longer means the kernel holds it, so ask again. */
export const KILL_AGAIN_MS = 5_000

export const launched = (pool: Supervised, instanceId: string, context: StepContext): Step => {
  const { state } = pool
  const { policy } = context
  // A stop that came while the process was being made.
  if (state.kind === 'stopping') {
    return policy.hasProcess
      ? { pool, effects: clearAway(instanceId, 'SIGTERM', policy.stopGraceMs) }
      : afterStop(pool, context)
  }
  if (state.kind !== 'preparing') return unchanged(pool)
  const reason = policy.hasProcess ? 'the engine process runs' : 'waiting for the server to answer'
  return startProbing(pool, instanceId, reason, context)
}

/**
 * A process of an earlier life of the agent. It is ready once its probes pass, at once when its
 * model is loaded; one that shows no sign of life is ended like any other.
 */
export const adopt = (pool: Supervised, instanceId: string, context: StepContext): Step =>
  pool.state.kind === 'stopped'
    ? startProbing(
        { ...pool, isWanted: true },
        instanceId,
        'taken over from an earlier life of the agent',
        context,
      )
    : unchanged(pool)

const startProbing = (
  pool: Supervised,
  instanceId: string,
  reason: string,
  { now, policy }: StepContext,
): Step =>
  move(
    pool,
    { kind: 'starting', instanceId, startedAt: now, hasSignOfLife: false, progressAt: now },
    reason,
    {
      now,
      effects: [
        ...(policy.hasProcess
          ? ([
              { kind: 'arm_timer', name: 'life', ms: policy.startTimeoutMs },
              { kind: 'arm_timer', name: 'load', ms: policy.loadTimeoutMs },
            ] as const)
          : []),
        { kind: 'probe', instanceId },
      ],
    },
  )

export const launchFailed = (
  pool: Supervised,
  { instanceId, report }: { readonly instanceId: string; readonly report: CrashReport },
  context: StepContext,
): Step => {
  if (pool.state.kind === 'stopping') return afterStop(pool, context)
  return pool.state.kind === 'preparing'
    ? afterCrash(pool, instanceId, report, context)
    : unchanged(pool)
}

export const output = (pool: Supervised, { now }: StepContext): Step =>
  pool.state.kind === 'starting'
    ? unchanged({ ...pool, state: { ...pool.state, hasSignOfLife: true, progressAt: now } })
    : unchanged(pool)

interface Exited {
  readonly instanceId: string
  readonly report: CrashReport
  readonly exit?: EngineExit
}

export const exited = (
  pool: Supervised,
  { instanceId, report, exit }: Exited,
  { now, policy, poolId }: StepContext,
): Step => {
  const { state } = pool
  if (state.kind === 'crashed' && exit && !state.exit)
    return unchanged({ ...pool, state: { ...state, exit } })
  // While stopping or crashed its end is expected, and `gone` says when all of it is over.
  if (state.kind !== 'starting' && state.kind !== 'ready' && state.kind !== 'draining')
    return unchanged(pool)
  const isRestart = state.kind === 'draining' && (state.goal === 'stop' || state.goal === 'restart')
  // In a reload it is no stop either: the model that is wanted has to come up.
  if ((report.kind !== 'stopped' || pool.reload) && !isRestart)
    return crash(pool, instanceId, report, {
      ...{ now, poolId, isRunning: false, graceMs: KILL_AGAIN_MS, exit },
    })
  const goal = state.kind === 'draining' && state.goal === 'restart' ? 'restart' : 'stop'
  return move(
    { ...pool, isWanted: goal === 'restart' },
    { kind: 'stopping', instanceId, goal, kills: 0 },
    report.message,
    {
      now,
      effects: [
        { kind: 'abort_requests' },
        ...clearAway(instanceId, 'SIGKILL', policy.stopGraceMs),
      ],
    },
  )
}

export const gone = (pool: Supervised, instanceId: string, context: StepContext): Step => {
  const { state } = pool
  if (state.kind === 'stopping') return afterStop(pool, context)
  if (state.kind === 'crashed') return afterCrash(pool, instanceId, state.report, context)
  return unchanged(pool)
}

export const idle = (pool: Supervised, context: StepContext): Step => {
  const { state } = pool
  if (state.kind !== 'draining' || state.goal === 'hold') return unchanged(pool)
  return state.goal === 'reload'
    ? stage(pool, context)
    : stopInstance(pool, state.instanceId, state.goal, context)
}

const afterStop = (pool: Supervised, context: StepContext): Step => {
  const { state } = pool
  return state.kind === 'stopping' && state.goal === 'restart'
    ? launch(pool, askedFor(pool, 'restart'), false, context)
    : move(pool, { kind: 'stopped' }, pool.reason, { now: context.now })
}
