import { messageOf, unreachable, type Cancel, type Clock, type Rng } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import {
  instanceOf,
  newSupervised,
  step,
  type Effect,
  type EngineDriver,
  type Supervised,
  type SupervisionEvent,
  type TimerName,
} from '@berth/supervision'
import type { AskProbe } from '../engine/ask-probe.ts'
import type { Instance } from '../engine/instance.ts'
import { launchInstance, type LaunchEnv } from '../engine/launch-instance.ts'
import type { LogRing } from '../engine/log-ring.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { askAll, type Check } from './ask-all.ts'

/** What the supervisor needs of the pool it supervises. */
export interface SupervisorHooks {
  /** Something a snapshot shows has changed. */
  onChange(): void
  onTransition(effect: Extract<Effect, { readonly kind: 'transitioned' }>): void
  onInstanceEnded(effect: Extract<Effect, { readonly kind: 'instance_ended' }>): void
  onChecked(check: Check): void
  abortRequests(): void
  /** Calls `fn` once nothing is in flight. */
  whenIdle(fn: () => void): Cancel
  isIdle(): boolean
}

export interface SupervisorOptions {
  readonly spec: PoolSpec
  readonly driver: EngineDriver
  readonly ring: LogRing
  readonly log: Logger
  readonly askProbe: AskProbe
  readonly env: LaunchEnv
  readonly hooks: SupervisorHooks
}

/** Performs what `step` decides for one pool: the only writer of its state. */
export interface Supervisor extends Disposable {
  readonly supervised: Supervised
  /** The engine of this life, from its launch until nothing of it is left. */
  readonly instance: Instance | undefined
  dispatch(event: SupervisionEvent): void
}

export const createSupervisor = (options: SupervisorOptions): Supervisor => {
  const { spec, driver, hooks, log, env } = options
  const clock: Clock = env.clock
  const rng: Rng = env.rng
  const timers = new Map<TimerName, Cancel>()
  const ended = new AbortController()
  const inbox: SupervisionEvent[] = []
  let supervised = newSupervised(clock.now())
  let instance: Instance | undefined
  let stopAwaitingIdle: Cancel = () => {}
  let isBusy = false

  const dispatch = (event: SupervisionEvent): void => {
    inbox.push(event)
    if (isBusy) return
    isBusy = true
    for (let next = inbox.shift(); next; next = inbox.shift()) {
      const before = supervised
      const context = { now: clock.now(), rng, policy: spec.policy }
      const { pool, effects } = step(supervised, next, context)
      supervised = pool
      for (const effect of effects) perform(effect)
      if (instance && instance.instanceId !== instanceOf(pool.state)) instance = undefined
      if (before !== pool) hooks.onChange()
    }
    isBusy = false
  }

  const perform = (effect: Effect): void => {
    switch (effect.kind) {
      case 'launch':
        return void launch(effect.instanceId)
      case 'probe':
        return void probe(effect.instanceId)
      case 'signal':
        return instance?.signal(effect.signal)
      case 'await_gone':
        return void awaitGone(effect.instanceId)
      case 'await_idle':
        stopAwaitingIdle()
        stopAwaitingIdle = hooks.whenIdle(() =>
          dispatch({ kind: 'idle', instanceId: effect.instanceId }),
        )
        return
      case 'abort_requests':
        return hooks.abortRequests()
      case 'arm_timer':
        timers.get(effect.name)?.()
        timers.set(
          effect.name,
          clock.after(effect.ms, () => dispatch({ kind: 'timer', name: effect.name })),
        )
        return
      case 'cancel_timers':
        return cancelTimers()
      case 'transitioned':
        return hooks.onTransition(effect)
      case 'instance_ended':
        return hooks.onInstanceEnded(effect)
      default:
        return unreachable(effect)
    }
  }

  const cancelTimers = () => {
    for (const cancel of timers.values()) cancel()
    timers.clear()
    stopAwaitingIdle()
  }

  const launch = async (instanceId: string) => {
    const { promise: isLaunched, resolve } = Promise.withResolvers<void>()
    const result = await launchInstance(
      {
        spec,
        driver,
        instanceId,
        ring: options.ring,
        log,
        onOutput: () => dispatch({ kind: 'output', instanceId }),
        // An engine may be dead before its launch is told: an end never comes before a start.
        onExit: (report) =>
          void isLaunched.then(() => dispatch({ kind: 'exited', instanceId, report })),
      },
      env,
    )
    if (result.kind === 'refused')
      return dispatch({ kind: 'launch_failed', instanceId, report: result.report })
    instance = result.instance
    dispatch({ kind: 'launched', instanceId })
    resolve()
  }

  const probe = async (instanceId: string) => {
    if (!instance) return
    const check = await askAll(options.askProbe, driver, instance.access, spec.engine)
    if (ended.signal.aborted || instance?.instanceId !== instanceId) return
    hooks.onChecked({ ...check, atMs: clock.wall() })
    const { result, isListening } = check
    dispatch({ kind: 'probed', instanceId, result, isListening, isIdle: hooks.isIdle() })
  }

  const awaitGone = async (instanceId: string) => {
    try {
      await instance?.gone(ended.signal)
    } catch (error) {
      if (ended.signal.aborted) return
      log.error({ error: messageOf(error) }, 'waiting for the end of an engine failed')
    }
    dispatch({ kind: 'gone', instanceId })
  }

  return {
    get supervised() {
      return supervised
    },
    get instance() {
      return instance
    },
    dispatch,
    [Symbol.dispose]: () => {
      cancelTimers()
      ended.abort()
    },
  }
}
