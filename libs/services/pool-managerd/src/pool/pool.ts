import type { Cancel } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { EngineDriver, PoolStateKind, Supervised, SupervisionEvent } from '@berth/supervision'
import type { AskProbe } from '../engine/ask-probe.ts'
import type { Instance } from '../engine/instance.ts'
import type { LaunchEnv } from '../engine/launch-instance.ts'
import type { PreloadPlaces } from '../engine/preload-places.ts'
import type { StagedModel } from '../engine/stage-model.ts'
import { createLogRing } from '../engine/log-ring.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import type { Check } from './ask-all.ts'
import type { AdoptableEntry } from '../state/adoptable.ts'
import { AS_THE_FILE_SAYS, intentAfter, type PoolIntent } from '../state/pool-intents.ts'
import type { Sample } from './performance.ts'
import {
  createPerformanceBook,
  type PerformanceBook,
  type PerformanceStore,
} from './performance-book.ts'
import type { PoolReporter } from './pool-reporter.ts'
import type { Urgency } from '../publish/publisher.ts'
import type { ModelKeeper } from '../models-in-engine/model-keeper.ts'
import type { PoolSleep } from '../sleep/pool-sleep.ts'
import { createLoadFollower, type LoadFollower } from './follow-load.ts'
import { createSlots, type Slots } from './slots.ts'
import { Supervisor } from './supervisor.ts'

export interface PoolOptions {
  readonly spec: PoolSpec
  readonly driver: EngineDriver
  /** Carries the facts of the pool. */
  readonly log: Logger
  readonly askProbe: AskProbe
  readonly env: LaunchEnv
  readonly reporter: PoolReporter
  /** The snapshot is out of date. */
  readonly onSnapshotChange: (urgency: Urgency) => void
  /** Where figures outlive the agent. Absent: nowhere. */
  readonly performance?: PerformanceStore | undefined
  /** Who keeps the models of an engine that holds several. Absent: nobody. */
  readonly keeperOf?: ((pool: Pool) => ModelKeeper | undefined) | undefined
  /** Who puts an engine to sleep that can. Absent: nobody. */
  readonly sleepOf?: ((pool: Pool) => PoolSleep | undefined) | undefined
  /** An engine that was not up before takes requests. */
  readonly onServing?: ((pool: Pool) => void) | undefined
}

/** One pool of this host: its engine, its slots, and what is known of both. */
export class Pool implements Disposable {
  readonly driver: EngineDriver
  readonly slots: Slots
  readonly ring = createLogRing()
  readonly loads: LoadFollower
  /** Of an engine that holds several models. */
  readonly keeper: ModelKeeper | undefined
  /** Of an engine that can put its weights aside. */
  readonly sleep: PoolSleep | undefined
  lastCheck: Check | undefined
  readonly performance: PerformanceBook
  readonly #supervisor: Supervisor
  readonly #listeners = new Set<() => void>()
  readonly #onSnapshotChange: PoolOptions['onSnapshotChange']
  readonly #models: LaunchEnv['models']
  readonly #intents: LaunchEnv['intents']
  #intent: PoolIntent
  /** What it does, or waits for, in its state; empty when the state says it all. */
  #step = ''
  #digest: string | undefined
  readonly #onServing: PoolOptions['onServing']
  #version: { readonly instanceId: string; readonly engine: string } | undefined
  #servingId: string | undefined
  /** Aborted when a request comes. */
  #whileIdle: AbortController | undefined
  #kvUsageRatio: number | undefined
  #relayedBytes = 0
  #answered = 0
  #wasReady = false
  #shown = ''
  #lastKind: PoolStateKind = 'stopped'
  #modelKept = Promise.resolve()

  constructor(options: PoolOptions) {
    const { spec, driver, log, askProbe, env, reporter } = options
    this.#models = env.models
    this.#intents = env.intents
    this.#intent = env.intents?.of(spec.poolId) ?? AS_THE_FILE_SAYS
    this.driver = driver
    this.#onSnapshotChange = options.onSnapshotChange
    this.performance = createPerformanceBook(options.performance)
    this.#onServing = options.onServing
    this.loads = createLoadFollower({
      ...{ clock: env.clock, log, times: env.loadTimes },
      look: () => this,
    })
    this.loads.onProgress((progress) => {
      reporter.loadChanged(progress)
      this.#onSnapshotChange('soon')
    })
    this.slots = createSlots(spec.engine.slots, () => this.#slotsChanged())
    this.#supervisor = new Supervisor({
      spec,
      driver,
      ring: this.ring,
      log,
      askProbe,
      env,
      hooks: {
        onChange: () => this.#changed(),
        onTransition: (effect) => reporter.transitioned(this.supervised, effect),
        onStep: (step) => this.#tell(step),
        onDigest: (digest) => this.learnDigest(digest),
        onModelKept: () => this.#keepModel(),
        onInstanceEnded: (effect) => {
          this.loads.ended(effect.report)
          reporter.instanceEnded(effect)
        },
        onChecked: (check) => {
          reporter.checked(this.supervised, check)
          this.#checked(check)
        },
        abortRequests: () => this.abortRequests(),
        whenIdle: (fn) => this.slots.whenIdle(fn),
        isIdle: () => this.slots.active === 0,
        activity: () => ({
          relayedBytes: this.#relayedBytes,
          answered: this.#answered,
          leases: this.slots.leases,
        }),
        onMetrics: ({ kvUsageRatio }) => {
          this.#kvUsageRatio = kvUsageRatio
        },
      },
    })
    this.keeper = options.keeperOf?.(this)
    this.sleep = options.sleepOf?.(this)
  }

  /** As the pools file wants it, with the model it has now. */
  get spec(): PoolSpec {
    return this.#supervisor.spec
  }

  /** Resolves when the next life of the agent will know the model; rejects when it will not. */
  get modelKept(): Promise<void> {
    return this.#modelKept
  }

  get supervised(): Supervised {
    return this.#supervisor.supervised
  }

  get instance(): Instance | undefined {
    return this.#supervisor.instance
  }

  /** Why it is where it is, in a sentence. */
  get stateReason(): string {
    return this.#step || this.supervised.reason
  }

  /** `sha256:` and 64 hex digits of the model file; `undefined` when it was never read. */
  get modelDigest(): string | undefined {
    return this.#digest
  }

  /** Somebody stopped it by command: the agent does not start it by itself. */
  get isHeldStopped(): boolean {
    return this.#intent.isStopped
  }

  /** What is commanded holds over the end of the agent; see `end` and `preload` for what is not. */
  dispatch(event: SupervisionEvent): void {
    this.#supervisor.dispatch(event)
    this.#keepIntent(intentAfter(this.#intent, event))
  }

  /** Starts it with the agent, or with its entry in the pools file, when there is a place. */
  preload(places: PreloadPlaces): void {
    this.#supervisor.preload(places)
  }

  /** Stops it with the agent, or with its entry in the pools file. */
  end(drainMs: number): void {
    this.#supervisor.dispatch({ kind: 'stop', drainMs })
  }

  /** Takes up what was commanded in an earlier life, before anything is started. */
  resume(): void {
    if (this.#intent.isDrained)
      this.#supervisor.dispatch({ kind: 'drain', deadlineMs: 0, onDeadline: 'force' })
    if (this.#intent.isStopped) this.#tell('stopped by command; it starts by command')
  }

  /** The model file it serves was read. */
  learnDigest(digest: string | undefined): void {
    if (digest === this.#digest) return
    this.#digest = digest
    this.#onSnapshotChange('soon')
  }

  /** Nothing starts it by itself: this is why. */
  rest(why: string): void {
    this.#tell(why)
  }

  /** The pools file changed in how it is watched, and its engine may stay. */
  adjust(spec: PoolSpec): void {
    this.#supervisor.adjust(spec)
    if (spec.hasOwnSlots) this.slots.resize(spec.engine.slots)
    this.#onSnapshotChange('urgent')
  }

  /** Takes over an engine of an earlier life. Throws when that cannot be done. */
  adopt(entry: AdoptableEntry, model?: StagedModel): Promise<void> {
    return this.#supervisor.adopt(entry, model)
  }

  /** Ends the supervision and lets the engine run on, for the next life of the agent. */
  async leave(): Promise<void> {
    this.#whileIdle?.abort()
    this.abortRequests()
    this.keeper?.[Symbol.dispose]()
    this.sleep?.[Symbol.dispose]()
    await this.#supervisor.leave()
    this.loads[Symbol.dispose]()
    this.#listeners.clear()
  }

  /** The engine has sent so much of an answer: it works. */
  relayed(bytes: number): void {
    this.#relayedBytes += bytes
  }

  /** Ends what is in flight with a terminal error. */
  abortRequests(): void {
    for (const lease of this.slots.leases) lease.abort()
  }

  recordSample(sample: Sample): void {
    this.#answered += 1
    this.learnSpeed(sample)
  }

  /** A measurement that was no request of a client. */
  learnSpeed(sample: Sample): void {
    this.performance.fold(sample)
    this.#onSnapshotChange('soon')
  }

  /** The engine of this instance said which version it is; empty when it does not tell. */
  identify(instanceId: string, engineVersion: string): void {
    if (this.instance?.instanceId !== instanceId) return
    const { engine, modelRef, deviceUuids, devices } = this.spec
    this.#version = { instanceId, engine: engineVersion }
    const on = { engine: engine.engine, engineVersion, modelRef, devices: deviceUuids ?? devices }
    this.performance.identify(on)
    this.#onSnapshotChange('soon')
  }

  /** Of the engine that runs now; empty when it is not known. */
  get engineVersion(): string {
    const { instanceId, engine = '' } = this.#version ?? {}
    return instanceId === this.instance?.instanceId ? engine : ''
  }

  /** Used share of the engine's KV cache; undefined where it does not tell. */
  get kvUsageRatio(): number | undefined {
    return this.instance ? this.#kvUsageRatio : undefined
  }

  /** Works with the engine as long as nobody else does; undefined when somebody came. */
  async whileIdle<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const isFree = () => this.supervised.state.kind === 'ready' && this.slots.active === 0
    if (!isFree() || this.#whileIdle) return undefined
    const { signal } = (this.#whileIdle = new AbortController())
    try {
      const done = await work(signal)
      return signal.aborted ? undefined : done
    } finally {
      this.#whileIdle = undefined
    }
  }

  /** Calls `fn` after every change of the pool's state. */
  onChange(fn: () => void): Cancel {
    this.#listeners.add(fn)
    return () => this.#listeners.delete(fn)
  }

  [Symbol.dispose](): void {
    this.#whileIdle?.abort()
    this.keeper?.[Symbol.dispose]()
    this.sleep?.[Symbol.dispose]()
    this.#supervisor[Symbol.dispose]()
    this.loads[Symbol.dispose]()
    this.#listeners.clear()
  }

  /** What was measured of another model says nothing of this one. */
  #keepModel(): void {
    this.performance.forget()
    this.#modelKept = this.#models?.keep(this.spec) ?? Promise.resolve()
    // Whoever asked for the model is told; nobody else has to know.
    this.#modelKept.catch(() => undefined)
  }

  #slotsChanged(): void {
    if (this.slots.active > 0) this.#whileIdle?.abort()
    if (this.slots.active === 1) this.#supervisor.dispatch({ kind: 'busy' })
    this.keeper?.slotsChanged()
    this.#onSnapshotChange('soon')
  }

  #tell(step: string): void {
    if (step === this.#step) return
    this.#step = step
    this.#onSnapshotChange('urgent')
  }

  #keepIntent(intent: PoolIntent): void {
    const { isStopped, isDrained } = this.#intent
    if (intent.isStopped === isStopped && intent.isDrained === isDrained) return
    this.#intent = intent
    this.#intents?.keep(this.spec.poolId, intent)
  }

  #changed(): void {
    const { state, isCordoned } = this.supervised
    const isReady = state.kind === 'ready'
    if (state.kind !== this.#lastKind) this.#step = ''
    this.#lastKind = state.kind
    // A drain may be given up by itself, so it is the state that tells.
    this.#keepIntent({ ...this.#intent, isDrained: isCordoned })
    // First, so that no snapshot says ready of what still loads. A daemon of many models starts
    // without one: what it loads, its keeper tells.
    if (!this.keeper?.ownsModel) this.loads.changed()
    const shown = shownOf(this.supervised)
    if (isReady !== this.#wasReady) this.#onSnapshotChange('now')
    else if (shown !== this.#shown) this.#onSnapshotChange('urgent')
    this.#wasReady = isReady
    this.#shown = shown
    if (!isReady) this.#whileIdle?.abort()
    else if (this.#servingId !== state.instanceId) {
      this.#servingId = state.instanceId
      this.#onServing?.(this)
    }
    for (const listener of [...this.#listeners]) listener()
  }

  #checked(check: Check): void {
    this.lastCheck = check
    const { result } = check
    if (this.spec.hasOwnSlots || 'fact' in result || result.slots === undefined) return
    this.slots.resize(result.slots)
  }
}

/** What a snapshot shows of it, as one text: a check that finds all as it was is no news. */
const shownOf = (supervised: Supervised): string => {
  const { state, since, model, reason, lastError, history } = supervised
  const { transitions, reload, isCordoned } = supervised
  const isDegraded = 'isDegraded' in state && state.isDegraded
  const last = transitions.at(-1)?.at
  return [state.kind, since, isDegraded, last, history.total, reload?.phase, isCordoned, model]
    .join(' ')
    .concat('\n', reason, '\n', lastError)
}
