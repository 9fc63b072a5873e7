import { randomUuid } from '@berth/kernel'
import type { CrashReport, EngineExit } from './driver.ts'
import type { Effect } from './effect.ts'
import { errorOf, startByHand } from './next-command.ts'
import { instanceOf, type FailReason, type PoolState } from './pool-state.ts'
import { loseReload, type Reload } from './reload.ts'
import { decideRestart, recordOpening, recordStart } from './restart-policy.ts'
import { TRANSITIONS_KEPT, type StepContext, type Supervised } from './supervised.ts'

/** A pool after an event, and what is to be done. */
export interface Step {
  readonly pool: Supervised
  readonly effects: readonly Effect[]
}

export const unchanged = (pool: Supervised): Step => ({ pool, effects: [] })

/** Enters a state of another kind: records the transition, drops every timer, adds `effects`. */
export const move = (
  pool: Supervised,
  state: PoolState,
  reason: string,
  { now, effects = [] }: { readonly now: number; readonly effects?: readonly Effect[] },
): Step => {
  const from = pool.state.kind
  const to = state.kind
  const transition = { at: now, from, to, reason }
  return {
    pool: {
      ...pool,
      state,
      since: now,
      reason,
      transitions: [...pool.transitions, transition].slice(-TRANSITIONS_KEPT),
    },
    effects: [
      { kind: 'cancel_timers' },
      {
        kind: 'transitioned',
        from,
        to,
        reason,
        instanceId: instanceOf(state) ?? instanceOf(pool.state),
      },
      ...effects,
    ],
  }
}

/** A new instance, unless a device is missing to it. Only ever from a state that has none. */
export const launch = (
  pool: Supervised,
  reason: string,
  isAutomatic: boolean,
  { now, rng, policy, poolId }: StepContext,
): Step => {
  const { deviceFault, reload } = pool
  if (deviceFault !== undefined)
    return giveUp({ ...pool, isWanted: true }, 'gpu_required', deviceFault, {
      ...{ now, poolId, effects: [] },
    })
  const instanceId = randomUuid(rng)
  const history = recordStart(pool.history, policy.restart, { now, isAutomatic })
  const next: Supervised =
    reload?.phase === 'switch'
      ? { ...pool, model: reload.to, reload: { ...reload, phase: 'start' } }
      : pool
  return move({ ...next, history, isWanted: true }, { kind: 'preparing', instanceId }, reason, {
    now,
    effects: [{ kind: 'launch', instanceId, model: next.model }],
  })
}

/** Ends a running instance on purpose. */
export const stopInstance = (
  pool: Supervised,
  instanceId: string,
  goal: 'stop' | 'restart',
  context: StepContext,
): Step => {
  const { now, policy } = context
  const reason = askedFor(pool, goal)
  if (!policy.hasProcess) {
    return goal === 'stop'
      ? move(pool, { kind: 'stopped' }, reason, { now })
      : launch(pool, reason, false, context)
  }
  return move(pool, { kind: 'stopping', instanceId, goal, kills: 0 }, reason, {
    now,
    effects: clearAway(instanceId, 'SIGTERM', policy.stopGraceMs),
  })
}

/** Why an engine is ended, or started again, on purpose. */
export const askedFor = ({ reload }: Supervised, goal: 'stop' | 'restart'): string =>
  reload ? 'reload was asked for' : `${goal} was asked for`

/** Signals the group and waits for it to be gone, with SIGKILL when that takes too long. */
export const clearAway = (
  instanceId: string,
  signal: 'SIGTERM' | 'SIGKILL',
  graceMs: number,
): readonly Effect[] => [
  { kind: 'signal', instanceId, signal },
  { kind: 'arm_timer', name: 'kill', ms: graceMs },
  { kind: 'await_gone', instanceId },
]

interface CrashFacts {
  readonly now: number
  readonly poolId: string
  /** Its leader has not ended: it is asked to first. */
  readonly isRunning: boolean
  readonly graceMs: number
  readonly exit?: EngineExit | undefined
}

/** An instance that ended, or has to: `crashed` until its group is gone. */
export const crash = (
  pool: Supervised,
  instanceId: string,
  report: CrashReport,
  { now, poolId, isRunning, graceMs, exit }: CrashFacts,
): Step =>
  move(
    { ...endDrain(pool), lastError: errorOf(report, poolId) },
    { kind: 'crashed', instanceId, report, kills: 0, ...(exit ? { exit } : {}) },
    report.message,
    {
      now,
      effects: [
        { kind: 'abort_requests' },
        ...clearAway(instanceId, isRunning ? 'SIGTERM' : 'SIGKILL', graceMs),
      ],
    },
  )

/** An engine that ends while it drains for another model has made room for it. */
const endDrain = (pool: Supervised): Supervised => {
  const { reload } = pool
  return reload?.phase === 'drain' || reload?.phase === 'stage'
    ? { ...pool, reload: { ...reload, phase: 'switch' } }
    : pool
}

/** Nothing of the instance is left: back off, or give up. */
export const afterCrash = (
  pool: Supervised,
  instanceId: string,
  report: CrashReport,
  context: StepContext,
): Step => {
  const { now, policy, poolId } = context
  const failedLoads = report.kind === 'start_timeout' ? pool.failedLoads + 1 : 0
  const exit = pool.state.kind === 'crashed' ? pool.state.exit : undefined
  const crashed: Supervised = { ...pool, failedLoads, lastError: errorOf(report, poolId) }
  const ended = (backoffMs?: number): Effect => ({
    kind: 'instance_ended',
    instanceId,
    report,
    ...(exit ? { exit } : {}),
    ...(backoffMs === undefined ? {} : { backoffMs }),
  })
  if (!pool.isWanted)
    return move(crashed, { kind: 'stopped' }, 'stop was asked for', { now, effects: [ended()] })
  if (pool.reload && isStartOfNew(pool.reload))
    return rollBack(crashed, pool.reload, report, { context, ended: ended() })
  if (pool.reload?.phase === 'switch') {
    const next = launch(crashed, 'reload was asked for', false, context)
    return { ...next, effects: [ended(), ...next.effects] }
  }
  if (!report.isRetriable)
    return giveUp(crashed, reasonOf(report), report.message, { now, poolId, effects: [ended()] })
  if (pool.deviceFault !== undefined)
    return giveUp(crashed, 'gpu_required', pool.deviceFault, { now, poolId, effects: [ended()] })
  if (failedLoads > policy.loadMaxRetries)
    return giveUp(crashed, 'model', `Gave up after ${failedLoads} starts. ${report.message}`, {
      ...{ now, poolId },
      effects: [ended()],
    })
  return startAgain(crashed, report, context, ended)
}

const isStartOfNew = ({ phase, from, to }: Reload): boolean => phase === 'start' && from !== to

/** The new model does not come up: back to the old one, at once, if it was to run at all. */
const rollBack = (
  pool: Supervised,
  reload: Reload,
  report: CrashReport,
  { context, ended }: { readonly context: StepContext; readonly ended: Effect },
): Step => {
  if (!reload.wasWanted) {
    const lost = loseReload(pool, report.kind, report.message)
    return move(lost, { kind: 'stopped' }, report.message, { now: context.now, effects: [ended] })
  }
  const { to, from, wasWanted } = reload
  const next = launch(
    {
      ...pool,
      model: from,
      failedLoads: 0,
      reload: { phase: 'roll_back', to, from, wasWanted, failure: report },
    },
    `${to} failed: back to ${from || 'what ran before'}`,
    false,
    context,
  )
  return { ...next, effects: [ended, ...next.effects] }
}

/** Waits for the next start, or gives up when there were too many of them. */
export const startAgain = (
  pool: Supervised,
  report: CrashReport,
  context: StepContext,
  ended: (backoffMs?: number) => Effect | undefined = () => undefined,
): Step => {
  const { now, policy, poolId } = context
  const told = (backoffMs?: number) => [ended(backoffMs)].filter((effect) => effect !== undefined)
  const decision = decideRestart(pool.history, report, policy.restart, context)
  if (decision.kind === 'give_up') {
    const message =
      `It ended ${policy.restart.intensity + 1} times within ` +
      `${policy.restart.windowMs / 1000} s; one more try in ${decision.reopenMs / 1000} s, ` +
      `or when started by hand. Last: ${report.message}`
    const opened = { ...pool, history: recordOpening(pool.history) }
    return giveUp(opened, 'breaker', message, {
      ...{ now, poolId },
      effects: [{ kind: 'arm_timer', name: 'reopen', ms: decision.reopenMs }, ...told()],
    })
  }
  const { delayMs } = decision
  return move(pool, { kind: 'backoff', delayMs, report }, report.message, {
    now,
    effects: [{ kind: 'arm_timer', name: 'backoff', ms: delayMs }, ...told(delayMs)],
  })
}

const giveUp = (
  pool: Supervised,
  reason: FailReason,
  message: string,
  then: { readonly now: number; readonly poolId: string; readonly effects: readonly Effect[] },
): Step =>
  move(
    {
      ...loseReload(pool, kindOf(reason), message),
      // It comes back by itself once its device is well.
      lastError: reason === 'gpu_required' ? message : startByHand(message, then.poolId),
    },
    { kind: 'failed', reason, message },
    message,
    then,
  )

const kindOf = (reason: FailReason): CrashReport['kind'] =>
  reason === 'gpu_required' ? 'device_error' : 'exit'

const reasonOf = (report: CrashReport): FailReason =>
  report.kind === 'model_not_found' || report.kind === 'model_invalid' ? 'model' : 'config'
