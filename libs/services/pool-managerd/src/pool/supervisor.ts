import { messageOf, unreachable, type Cancel } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import {
  instanceOf,
  newSupervised,
  step,
  type Effect,
  type EngineAccess,
  type EngineDriver,
  type EngineMetrics,
  type LoadSign,
  type LogSign,
  type PoolState,
  type ProbeResponse,
  type ProbeSpec,
  type Supervised,
  type SupervisionEvent,
  type TimerName,
} from '@berth/supervision'
import type { AskProbe } from '../engine/ask-probe.ts'
import { adoptInstance } from '../engine/adopt-instance.ts'
import type { Instance } from '../engine/instance.ts'
import {
  launchInstance,
  type LaunchEnv,
  type LaunchRequest,
  type LaunchResult,
} from '../engine/launch-instance.ts'
import type { LogRing } from '../engine/log-ring.ts'
import type { PreloadPlaces } from '../engine/preload-places.ts'
import { withProbing } from '../engine/probing.ts'
import { stageModel, type StagedModel } from '../engine/stage-model.ts'
import { createStartPermit, type StartPermit } from '../engine/start-permit.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { withModel } from '../pools-file/with-model.ts'
import type { AdoptableEntry } from '../state/adoptable.ts'
import { judgeActivity, type Activity } from './activity.ts'
import { askAll, type Check } from './ask-all.ts'
import { eventOfSign } from './hear-sign.ts'

type EffectOf<Kind extends Effect['kind']> = Extract<Effect, { readonly kind: Kind }>

/** What the supervisor tells the pool it supervises, and asks of it. */
export interface SupervisorHooks {
  /** Something a snapshot shows has changed. */
  readonly onChange: () => void
  readonly onTransition: (effect: EffectOf<'transitioned'>) => void
  readonly onInstanceEnded: (effect: EffectOf<'instance_ended'>) => void
  readonly onChecked: (check: Check) => void
  /** What a start does before there is a process, in words. */
  readonly onStep: (step: string) => void
  /** What the model file is; `undefined` when that is not known. */
  readonly onDigest: (digest: string | undefined) => void
  /** The pool serves this model for good. */
  readonly onModelKept: (model: string) => void
  /** The log of an instance told something of its start or its memory. */
  readonly onSign?: (sign: LogSign, instanceId: string) => void
  readonly abortRequests: () => void
  /** Calls `fn` once nothing is in flight. */
  readonly whenIdle: (fn: () => void) => Cancel
  readonly isIdle: () => boolean
  readonly activity: () => Activity
  /** What the engine counts, as it was last read. */
  readonly onMetrics: (metrics: EngineMetrics) => void
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

/** What a start is told that was given up before its turn. */
const NOT_STARTED: LaunchResult = {
  kind: 'refused',
  report: { kind: 'stopped', message: 'It was stopped before its turn.', isRetriable: true },
}
/** As long as a probe may take. */
const METRICS_TIMEOUT_MS = 5_000

/** Performs what `step` decides for one pool: the only writer of its state. */
export class Supervisor implements Disposable {
  #options: SupervisorOptions
  readonly #timers = new Map<TimerName, Cancel>()
  readonly #inbox: SupervisionEvent[] = []
  readonly #ended = new AbortController()
  #spec: PoolSpec
  #supervised: Supervised
  #instance: Instance | undefined
  #stopAwaitingIdle: Cancel = () => {}
  #isBusy = false
  /** What the start that goes on holds. */
  readonly #permit: StartPermit
  /** Aborted once nobody wants what is being prepared any more. */
  #preparing: AbortController | undefined
  /** The same of the model that a reload leads to. */
  #staging: AbortController | undefined
  /** Where the next start takes a place; only a preload does. */
  #places: PreloadPlaces | undefined
  /** What is asked when the supervision ends is not waited for. */
  readonly #ask = (access: EngineAccess, probe: ProbeSpec): Promise<ProbeResponse> =>
    this.#options.askProbe(access, probe, this.#ended.signal)

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#spec = options.spec
    this.#supervised = newSupervised(options.env.clock.now(), options.spec.modelRef)
    const { env, log, hooks } = options
    const { turns, clock } = env
    this.#permit = createStartPermit({ turns, clock, log, onWait: hooks.onStep })
  }

  get supervised(): Supervised {
    return this.#supervised
  }

  /** The pool with the model it has now. */
  get spec(): PoolSpec {
    return this.#spec
  }

  /** The engine of this life, from its launch until nothing of it is left. */
  get instance(): Instance | undefined {
    return this.#instance
  }

  /** The pool as the pools file has it now: it wants the same engine, watched in another way. */
  adjust(spec: PoolSpec): void {
    this.#options = { ...this.#options, spec }
    this.#spec = withModel(spec, this.#supervised.model)
  }

  /** Starts it as one of many: when there is a place for it. */
  preload(places: PreloadPlaces): void {
    this.#places = places
    this.dispatch({ kind: 'start' })
  }

  /** Takes over an engine of an earlier life. Throws when that cannot be done. */
  async adopt(entry: AdoptableEntry, model?: StagedModel): Promise<void> {
    const adopting = Promise.withResolvers<undefined>()
    const request = this.#request(entry.instanceId, adopting.promise)
    const whole = model ? { ...request, model } : request
    this.#instance = await adoptInstance(whole, entry, this.#options.env)
    this.#permit.hold(this.#spec)
    this.dispatch({ kind: 'adopt', adopted: entry })
    adopting.resolve(undefined)
  }

  /** Ends the supervision and lets the engine run on, for the next life of the agent. */
  async leave(): Promise<void> {
    this[Symbol.dispose]()
    await this.#instance?.release()
  }

  /** One event at a time: what effects bring about at once waits for its turn. */
  dispatch(event: SupervisionEvent): void {
    if (this.#ended.signal.aborted) return
    this.#inbox.push(event)
    if (this.#isBusy) return
    this.#isBusy = true
    for (let next = this.#inbox.shift(); next; next = this.#inbox.shift()) this.#step(next)
    this.#isBusy = false
  }

  [Symbol.dispose](): void {
    this.#cancelTimers()
    this.#ended.abort()
    this.#preparing?.abort()
    this.#staging?.abort()
    this.#permit.release()
  }

  #step(event: SupervisionEvent): void {
    const { env, hooks } = this.#options
    const before = this.#supervised
    const { poolId, policy } = this.#spec
    const context = { poolId, now: env.clock.now(), rng: env.rng, policy }
    const { pool, effects } = step(before, event, context)
    this.#supervised = pool
    if (pool.model !== this.#spec.modelRef) this.#spec = withModel(this.#options.spec, pool.model)
    for (const effect of effects) this.#perform(effect)
    if (this.#instance?.instanceId !== instanceOf(pool.state)) this.#instance = undefined
    this.#settlePermit(pool.state)
    if (pool.reload?.phase !== 'stage') this.#staging?.abort()
    if (before !== pool) hooks.onChange()
  }

  #perform(effect: Effect): void {
    const { hooks } = this.#options
    switch (effect.kind) {
      case 'launch':
        return void this.#launch(effect.instanceId)
      case 'stage':
        return void this.#stage(effect.model)
      case 'keep_model':
        return hooks.onModelKept(effect.model)
      case 'probe':
        return void this.#probe(effect.instanceId)
      case 'observe':
        return void this.#observe(effect.instanceId)
      case 'signal':
        return this.#instance?.signal(effect.signal)
      case 'await_gone':
        return void this.#awaitGone(effect.instanceId)
      case 'await_idle':
        return this.#awaitIdle(effect.instanceId)
      case 'abort_requests':
        return hooks.abortRequests()
      case 'arm_timer':
        return this.#armTimer(effect.name, effect.ms)
      case 'cancel_timers':
        return this.#cancelTimers()
      case 'transitioned':
        return hooks.onTransition(effect)
      case 'instance_ended':
        return hooks.onInstanceEnded(effect)
      default:
        return unreachable(effect)
    }
  }

  async #stage(model: string): Promise<void> {
    const { signal } = (this.#staging = new AbortController())
    const staging = await stageModel(withModel(this.#options.spec, model), this.#options.env, {
      signal,
      onStep: this.#options.hooks.onStep,
      onSign: (sign) => this.dispatch({ kind: 'stage_sign', model, ...sign }),
    })
    this.dispatch(
      staging.kind === 'refused'
        ? { kind: 'stage_failed', model, report: staging.report }
        : { kind: 'staged', model },
    )
  }

  async #launch(instanceId: string): Promise<void> {
    const launching = Promise.withResolvers<undefined>()
    const request = this.#request(instanceId, launching.promise)
    const result = await this.#prepareAndLaunch(request)
    if (result.kind === 'launched') this.#instance = result.instance
    this.dispatch(
      result.kind === 'launched'
        ? { kind: 'launched', instanceId }
        : { kind: 'launch_failed', instanceId, report: result.report },
    )
    launching.resolve(undefined)
  }

  /** Waits for the devices, stages, verifies, plans and starts, as long as somebody wants it. */
  async #prepareAndLaunch(request: LaunchRequest): Promise<LaunchResult> {
    const { env, hooks } = this.#options
    const places = this.#places
    this.#places = undefined
    // A restart follows its stop without a rest: it takes its turn anew, behind those who wait.
    this.#permit.release()
    const { signal } = (this.#preparing = new AbortController())
    const { spec } = request
    try {
      const { hasProcess } = spec.policy
      // The devices first: who waits for another start takes no place from those who could go on.
      if (hasProcess) await this.#permit.takeTurn(spec, signal)
      if (hasProcess && places) await this.#permit.takePlace(places, signal)
      hooks.onDigest(undefined)
      const { onStep, onDigest } = hooks
      const onSign = (sign: LoadSign) =>
        this.dispatch({ kind: 'load_sign', instanceId: request.instanceId, ...sign })
      const staging = await stageModel(spec, env, { signal, onStep, onSign, onDigest })
      if (signal.aborted) return NOT_STARTED
      if (staging.kind === 'refused') return staging
      onStep('starting the engine')
      const { model } = staging
      const wanted = { ...request, signal, onStep }
      return await launchInstance(model ? { ...wanted, model } : wanted, env)
    } catch {
      // Nobody wants the start any more: its launch is answered, and nothing was made.
      return NOT_STARTED
    }
  }

  /** A start ends when its engine serves, or when nothing is left of it. */
  #settlePermit(state: PoolState): void {
    if (state.kind !== 'preparing') this.#preparing?.abort()
    if (state.kind !== 'ready' && state.kind !== 'draining' && instanceOf(state)) return
    this.#permit.release()
  }

  #request(instanceId: string, told: Promise<unknown>): LaunchRequest {
    const { driver, ring, log } = this.#options
    return {
      ...{ spec: this.#spec, driver, instanceId, ring, log },
      onOutput: () => this.dispatch({ kind: 'output', instanceId }),
      onSign: (sign) => this.#hear(sign, instanceId),
      // An engine may be dead before its launch is told: an end never comes before a start.
      onExit: (report, exit) =>
        void told.then(() => this.dispatch({ kind: 'exited', instanceId, report, exit })),
    }
  }

  #hear(sign: LogSign, instanceId: string): void {
    this.#options.hooks.onSign?.(sign, instanceId)
    const event = eventOfSign(sign, instanceId, this.#spec)
    if (event) this.dispatch(event)
  }

  async #observe(instanceId: string): Promise<void> {
    const { access } = this.#instance ?? {}
    if (!access) return
    const metrics = await this.#metrics(access)
    this.#options.hooks.onMetrics(metrics)
    const { isBusy, progress } = judgeActivity(this.#options.hooks.activity(), metrics, access)
    this.dispatch({ kind: 'observed', instanceId, isBusy, progress })
  }

  /** Empty when the engine has no counters, or does not tell them. */
  async #metrics(access: EngineAccess): Promise<EngineMetrics> {
    const { driver } = this.#options
    if (access.metricsPath === undefined) return {}
    const probe = { path: access.metricsPath, timeoutMs: METRICS_TIMEOUT_MS }
    try {
      const response = await this.#ask(access, probe)
      return response.kind === 'answer' ? driver.readMetrics(response.body) : {}
    } catch {
      // What cannot be asked or read tells nothing, as no answer does.
      return {}
    }
  }

  async #probe(instanceId: string): Promise<void> {
    const { driver, env, hooks } = this.#options
    const instance = this.#instance
    if (!instance) return
    const { engine, probing } = this.#spec
    const access = withProbing(instance.access, probing)
    const check = await askAll(this.#ask, driver, access, engine)
    if (this.#ended.signal.aborted || this.#instance?.instanceId !== instanceId) return
    hooks.onChecked({ ...check, atMs: env.clock.wall() })
    const { result, isListening } = check
    this.dispatch({ kind: 'probed', instanceId, result, isListening, isIdle: hooks.isIdle() })
  }

  async #awaitGone(instanceId: string): Promise<void> {
    try {
      await this.#instance?.gone(this.#ended.signal)
    } catch (error) {
      if (this.#ended.signal.aborted) return
      const facts = { instance_id: instanceId, error: messageOf(error) }
      this.#options.log.error(facts, 'waiting for the end of an engine failed')
    }
    this.dispatch({ kind: 'gone', instanceId })
  }

  #awaitIdle(instanceId: string): void {
    this.#stopAwaitingIdle()
    this.#stopAwaitingIdle = this.#options.hooks.whenIdle(() =>
      this.dispatch({ kind: 'idle', instanceId }),
    )
  }

  #armTimer(name: TimerName, ms: number): void {
    this.#timers.get(name)?.()
    const cancel = this.#options.env.clock.after(ms, () => this.dispatch({ kind: 'timer', name }))
    this.#timers.set(name, cancel)
  }

  #cancelTimers(): void {
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
    this.#stopAwaitingIdle()
  }
}
