import type { Cancel } from '@berth/kernel'
import type { CrashReport, LoadProgress } from '@berth/supervision'
import type { Refusal } from '../ingress/check-lease.ts'
import type { Loading } from '../pool/loading.ts'
import type { Drain } from './drain-model.ts'
import { createEngineLists, type EngineLists } from './engine-lists.ts'
import { foldLook, type Look, type LookNews } from './fold-look.ts'
import { createJobQueue, type JobQueue } from './job-queue.ts'
import { followProgress, type KeeperOptions } from './keeper-pool.ts'
import {
  edited,
  shownOf,
  without,
  withModel,
  type KeptModel,
  type KeptModels,
  type WantedModel,
} from './kept-model.ts'
import { loadModel } from './load-model.ts'
import { UNWATCHED, watchLoad } from './watch-load.ts'
import { failureOf, type JobFailure, type ModelJob } from './model-job.ts'
import { nextMove, type KeeperMove } from './next-move.ts'
import type { OpenJob } from './open-job.ts'
import { afterFailure, displaced, refuseOneMore, retryAfter, withRoom } from './trouble.ts'
import { drainAndUnload } from './unload-model.ts'
import { createWantedBook, type WantedBook } from './wanted-book.ts'

/** What would go by itself is renewed this long before. */
const RENEW_BEFORE_MS = 60_000

/**
 * The models in one engine that holds several: which are wanted, which are there. It looks at the
 * engine's own lists, brings what is wanted and missing, renews what would go, and carries out one
 * change at a time. Nothing is believed that the lists do not show.
 */
export class ModelKeeper implements Disposable {
  readonly #options: KeeperOptions
  readonly #book: WantedBook
  readonly #lists: EngineLists
  readonly #jobs: JobQueue
  readonly #ended = new AbortController()
  readonly #stops: Cancel[]
  readonly #slotListeners = new Set<() => void>()
  readonly #usedAt = new Map<string, number>()
  readonly #progress: ReturnType<typeof followProgress>
  #models: KeptModels
  /** The engine that the lists are of. */
  #instanceId: string | undefined
  #load: Loading | undefined
  #lastLoad: { readonly name: string; readonly at: number } | undefined
  #cancelLook: Cancel = () => undefined

  constructor(options: KeeperOptions) {
    const { pool, clock, onChange } = options
    this.#options = options
    this.#book = createWantedBook(options)
    this.#models = this.#book.addTo(new Map())
    this.#lists = createEngineLists({
      ...options,
      signal: this.#ended.signal,
      engine: () => this.#engine(),
      onLook: (look) => this.#fold(look),
    })
    this.#jobs = createJobQueue({
      ...{ clock, poolId: pool.spec.poolId },
      onChange: ({ progress }) => {
        onChange('soon')
        if (progress) options.onProgress(progress)
      },
      onEnd: () => this.#jobEnded(),
    })
    this.#progress = followProgress(pool.ring, clock)
    this.#stops = [pool.onChange(() => this.#poolChanged()), this.#progress.stop]
  }

  /** All that is known, by the engine's names; nothing is resident while the engine is not up. */
  get models(): KeptModels {
    return this.#models
  }

  /** The load that goes on. */
  get loading(): { readonly name: string; readonly progress: LoadProgress } | undefined {
    const { current } = this.#jobs
    return current && this.#load && { name: current.name, progress: this.#load.progress() }
  }

  /** The pool's own model comes and goes as the others do. */
  get ownsModel(): boolean {
    return this.#options.ownsModel
  }

  nameOf(modelId: string): string {
    return this.#options.calls.nameOf?.(modelId) ?? modelId
  }

  find(modelId: string): KeptModel | undefined {
    return this.#models.get(this.nameOf(modelId))
  }

  activeOf(modelId: string): number {
    return this.#leasesOf(this.nameOf(modelId)).length
  }

  /** Why a request for the model may not go to the engine; it would be loaded behind our back. */
  refusalOf(modelId: string): Refusal | undefined {
    const name = this.nameOf(modelId)
    if (!this.#options.ownsModel && name === this.#ownName()) return undefined
    const model = this.#models.get(name)
    if (model?.leaving) return 'draining'
    return model?.resident && this.loading?.name !== name ? undefined : 'not_ready'
  }

  /** A request for the model was let in, or has ended. */
  slotsChanged(): void {
    const now = this.#options.clock.now()
    for (const { modelId } of this.#options.pool.slots.leases)
      this.#usedAt.set(this.nameOf(modelId), now)
    for (const fn of [...this.#slotListeners]) fn()
  }

  /**
   * Brings the model into memory and keeps it there. Who asks again while it goes on gets the same
   * job. Throws as `refuseOneMore` does.
   */
  load(wanted: WantedModel): ModelJob {
    const name = this.nameOf(wanted.modelId)
    const same = this.#jobs.find('load', name)
    if (same) return same
    this.refuseOneMore(wanted.modelId)
    return this.#jobs.begin({ kind: 'load', name }, (job) => this.#runLoad(job, wanted, true))
  }

  /** Throws `INSUFFICIENT_VRAM` when the engine would let go of another for the model. */
  refuseOneMore(modelId: string): void {
    const { calls, pool } = this.#options
    if (this.find(modelId)?.resident) return
    refuseOneMore(this.#models, { maxResident: calls.maxResident, poolId: pool.spec.poolId })
  }

  /** Takes the model out of memory once its requests have ended, and keeps it out. */
  unload(modelId: string, drain: Drain): ModelJob {
    const name = this.nameOf(modelId)
    this.#jobs.find('load', name)?.cancel()
    return (
      this.#jobs.find('unload', name) ??
      this.#jobs.begin({ kind: 'unload', name }, (job) => this.#runUnload(job, modelId, drain))
    )
  }

  [Symbol.dispose](): void {
    this.#ended.abort()
    this.#cancelLook()
    this.#jobs.cancel()
    for (const stop of this.#stops) stop()
    this.#slotListeners.clear()
  }

  #engine() {
    const { instance } = this.#options.pool
    const id = this.#instanceId
    return id !== undefined && instance?.instanceId === id
      ? { id, access: instance.access }
      : undefined
  }

  #poolChanged(): void {
    const { instance, supervised } = this.#options.pool
    const { kind } = supervised.state
    if (this.#instanceId !== undefined && instance?.instanceId !== this.#instanceId)
      this.#forgetEngine()
    if (!instance || (kind !== 'ready' && kind !== 'draining')) return
    if (instance.instanceId === this.#instanceId) return
    this.#instanceId = instance.instanceId
    this.#lists.askForFiles()
    this.#lookIn(0)
  }

  /** With the engine goes what it held; what was wrong with its models may be right in the next. */
  #forgetEngine(): void {
    this.#instanceId = undefined
    this.#cancelLook()
    this.#jobs.cancel()
    this.#set(edited(this.#models, (model) => without(model, 'resident', 'leaving', 'trouble')))
  }

  #lookIn(ms: number): void {
    this.#cancelLook()
    if (this.#ended.signal.aborted) return
    this.#cancelLook = this.#options.clock.after(ms, () => void this.#lookAndAct())
  }

  async #lookAndAct(): Promise<void> {
    await this.#lists.look()
    if (this.#instanceId === undefined) return
    this.#act()
    this.#lookIn(this.#options.pool.spec.policy.probeIntervalMs)
  }

  #fold({ resident, onDisk }: Look): void {
    const { clock, ownsModel } = this.#options
    // Where the pool's own model is there with the engine, it is none of the keeper's.
    const ours = ownsModel
      ? resident
      : resident.filter(({ parentModelId }) => parentModelId !== undefined)
    const { models, news } = foldLook(
      this.#book.addTo(this.#models),
      { resident: ours, onDisk },
      {
        nameOf: (modelId) => this.nameOf(modelId),
        wall: clock.wall(),
        loading: this.loading?.name,
      },
    )
    this.#set(models)
    for (const name of this.#usedAt.keys()) if (!models.has(name)) this.#usedAt.delete(name)
    for (const one of news) this.#tellNews(one)
  }

  #tellNews({ kind, modelId }: LookNews): void {
    const { log } = this.#options
    const name = this.nameOf(modelId)
    if (kind === 'expired') {
      log.info({ model_id: modelId }, 'model was idle for its time: the engine let go of it')
      return void this.#book.change({ forget: name })
    }
    const other = this.#loadedMeanwhile()
    const trouble = other === undefined || other === name ? undefined : displaced(modelId, other)
    if (trouble) this.#edit(name, (model) => ({ ...model, trouble }))
    const facts = { model_id: modelId, last_error: trouble?.report.message }
    log.warn(facts, 'engine let go of a model that it was to hold')
  }

  /** A model that goes while another comes, or right after, went for its sake. */
  #loadedMeanwhile(): string | undefined {
    const { pool, clock } = this.#options
    if (this.loading) return this.loading.name
    const { probeIntervalMs } = pool.spec.policy
    return this.#lastLoad && clock.now() - this.#lastLoad.at < 2 * probeIntervalMs
      ? this.#lastLoad.name
      : undefined
  }

  #act(): void {
    const { pool, clock } = this.#options
    const { supervised, spec } = pool
    if (this.#jobs.current || supervised.state.kind !== 'ready') return
    // What becomes of a server that we only use is its owner's matter.
    if (spec.engine.mode === 'external') return
    const move = nextMove(this.#models, {
      ...{ now: clock.now(), wall: clock.wall(), renewBeforeMs: RENEW_BEFORE_MS },
      idleMsOf: (name) =>
        this.#leasesOf(name).length > 0 ? 0 : clock.now() - (this.#usedAt.get(name) ?? 0),
    })
    if (move) this.#make(move)
  }

  #make({ kind, name }: KeeperMove): void {
    const wanted = this.#models.get(name)?.wanted
    if (!wanted) return
    if (kind === 'unload') this.unload(wanted.modelId, { deadlineMs: 0, isForced: false })
    // To load what is there renews it.
    else this.#jobs.begin({ kind: 'load', name }, (job) => this.#runLoad(job, wanted, false))
  }

  #jobEnded(): void {
    this.#load = undefined
    this.#lists.askForFiles()
    this.#options.onChange('now')
    if (this.#instanceId !== undefined) this.#lookIn(0)
  }

  async #runLoad(
    job: OpenJob,
    wanted: WantedModel,
    isCommanded: boolean,
  ): Promise<JobFailure | undefined> {
    const { pool, calls, clock, log } = this.#options
    const { name, signal } = job
    const { modelId } = wanted
    const engine = this.#engine()
    const { poolId, policy } = pool.spec
    if (!engine) return failureOf(`The engine of pool ${poolId} is ${pool.supervised.state.kind}.`)
    const before = this.#models.get(name)
    this.#edit(name, (model) => ({ ...without(model, 'trouble'), modelId, wanted }))
    const isRenewal = !isCommanded && before?.resident !== undefined
    const watch = isRenewal
      ? UNWATCHED
      : watchLoad(job, pool.spec, wanted, { clock, times: this.#options.times })
    this.#load = watch.loading
    const startedAt = clock.now()
    const report = await loadModel(wanted, {
      ...{ access: engine.access, calls, clock, signal, ...this.#progress, ...watch },
      stallMs: policy.loadTimeoutMs,
      isResident: () => this.#isResident(name),
      isOnDisk: () => this.#isOnDisk(name),
      pullRefusal: this.#options.pullRefusal?.({ modelId, isCommanded }),
    })
    watch.end(report)
    if (report) return this.#loadFailed(name, before, report)
    if (isRenewal) return undefined
    const now = clock.now()
    this.#lastLoad = { name, at: now }
    this.#usedAt.set(name, now)
    this.#options.onLoaded(modelId, (now - startedAt) / 1_000)
    log.info({ model_id: modelId, took_ms: Math.round(now - startedAt) }, 'model is in memory')
    return this.#book.change({ add: wanted })
  }

  /** What was wanted before goes on being wanted; a command that failed leaves nothing behind. */
  #loadFailed(name: string, before: KeptModel | undefined, report: CrashReport): JobFailure {
    const { log, clock, pool } = this.#options
    const isGivenUp = report.kind === 'stopped'
    const trouble = retryAfter(report, before?.trouble, { now: clock.now(), ...pool.spec.policy })
    this.#edit(name, (model) =>
      afterFailure(model, before?.wanted, isGivenUp ? undefined : trouble),
    )
    if (isGivenUp) return { report }
    const { kind, message } = report
    const facts = { model_id: name, kind, last_error: message, tries: trouble.tries }
    log.error(facts, 'model was not loaded')
    return { report }
  }

  async #runUnload(job: OpenJob, modelId: string, drain: Drain): Promise<JobFailure | undefined> {
    const { name } = job
    await this.#lists.look()
    const { resident } = this.#models.get(name) ?? {}
    if (resident) {
      const failure = await this.#drainAndUnload(job, modelId, drain)
      this.#edit(name, (model) => without(model, 'leaving'))
      if (failure) return failure
    }
    this.#edit(name, (model) => without(model, 'wanted', 'trouble'))
    this.#set(edited(this.#models, withRoom))
    this.#options.log.info({ model_id: modelId }, 'model is out of memory')
    return this.#book.change({ forget: name })
  }

  #drainAndUnload(
    { tell, name, signal }: OpenJob,
    modelId: string,
    drain: Drain,
  ): Promise<JobFailure | undefined> {
    const { calls, clock, memory, log } = this.#options
    return drainAndUnload(modelId, drain, {
      ...{ calls, clock, signal, memory },
      access: () => this.#engine()?.access,
      onStep: (leaving) => {
        tell(leaving === 'draining' ? 'drain' : 'unload')
        this.#edit(name, (model) => ({ ...model, leaving }))
      },
      leases: () => this.#leasesOf(name),
      onSlots: (fn) => this.#onSlots(fn),
      gpuBytes: () => this.#models.get(name)?.resident?.gpuBytes ?? 0,
      isResident: () => this.#isResident(name),
      onMemoryHeld: (held) =>
        log.warn({ model_id: modelId, ...held }, 'memory of an unloaded model is not free yet'),
    })
  }

  /** Fresh: what an earlier look saw proves nothing. */
  async #isResident(name: string): Promise<boolean | undefined> {
    const isTold = await this.#lists.look()
    return isTold ? this.#models.get(name)?.resident !== undefined : undefined
  }

  async #isOnDisk(name: string): Promise<boolean> {
    this.#lists.askForFiles()
    await this.#lists.look()
    const { onDisk, resident } = this.#models.get(name) ?? {}
    return (onDisk ?? resident) !== undefined
  }

  #leasesOf(name: string) {
    const { leases } = this.#options.pool.slots
    return leases.filter(({ modelId }) => this.nameOf(modelId) === name)
  }

  #onSlots(fn: () => void): Cancel {
    this.#slotListeners.add(fn)
    return () => this.#slotListeners.delete(fn)
  }

  #ownName(): string | undefined {
    const { modelId } = this.#options.pool.spec.engine
    return modelId === undefined ? undefined : this.nameOf(modelId)
  }

  #edit(name: string, edit: (model: KeptModel) => KeptModel): void {
    this.#set(withModel(this.#models, name, (model) => edit(model ?? { modelId: name })))
  }

  #set(models: KeptModels): void {
    const before = this.#models
    this.#models = models
    if (shownOf(before) !== shownOf(models)) this.#options.onChange('now')
  }
}
