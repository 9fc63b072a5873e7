import { BerthError, messageOf, sleep, type Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { EngineCall, SleepCalls } from '@berth/supervision'
import type { AskProbe } from '../engine/ask-probe.ts'
import type { Instance } from '../engine/instance.ts'
import type { LaunchEnv } from '../engine/launch-instance.ts'
import { callEngine } from '../models-in-engine/call-engine.ts'
import type { Pool } from '../pool/pool.ts'
import { treeMemory } from './tree-memory.ts'

export interface SleepSurroundings {
  readonly env: LaunchEnv
  readonly clock: Clock
  readonly log: Logger
  readonly askProbe: AskProbe
  readonly onChange: () => void
}

/** What it takes of a pool. */
export type SleeperPool = Pick<
  Pool,
  'spec' | 'instance' | 'supervised' | 'slots' | 'dispatch' | 'onChange'
>

/** Weights and cache are nine tenths of what an engine holds; the rest stays with its process. */
const LEFT_RATIO_MAX = 0.5
/** A driver takes a moment to show what came free. */
const PROOF_MS = 8_000
const PROOF_POLL_MS = 250
const ASK_TIMEOUT_MS = 5_000

/** How the engine of one pool is put to sleep and woken. At most one of both at a time. */
export class PoolSleep implements Disposable {
  readonly #pool: SleeperPool
  readonly #calls: SleepCalls
  readonly #on: SleepSurroundings
  readonly #ended = new AbortController()
  /** The instance that sleeps. */
  #sleeper: string | undefined
  /** The instance that was seen to give nothing back, and how. */
  #failure: { readonly instanceId: string; readonly message: string } | undefined
  /** Somebody else had drained the pool: it stays so when the engine wakes. */
  #wasCordoned = false
  /** The instance that was asked whether it sleeps, when an agent took it over. */
  #asked: string | undefined
  readonly #stopWatching: () => void

  constructor(pool: SleeperPool, calls: SleepCalls, on: SleepSurroundings) {
    this.#pool = pool
    this.#calls = calls
    this.#on = on
    this.#stopWatching = pool.onChange(() => this.#lookAfterSleeper())
  }

  get isAsleep(): boolean {
    return this.#sleeper !== undefined && this.#sleeper === this.#pool.instance?.instanceId
  }

  /** Throws `UNSUPPORTED_OPERATION` when the engine was seen not to give its memory back. */
  refuseSleep(): void {
    const { spec, instance, supervised } = this.#pool
    const failure = this.#failure
    if (failure && failure.instanceId === instance?.instanceId)
      throw unsupported(spec.poolId, `Sleep does not work here: ${failure.message}`)
    if (supervised.state.kind !== 'ready' && !this.isAsleep)
      throw new BerthError('POOL_UNREADY', `Pool ${spec.poolId} is ${supervised.state.kind}.`)
  }

  /** Drains, puts the weights aside, and proves by the driver that their memory came free. */
  async fallAsleep(drainMs: number, onStep: (step: string) => void): Promise<void> {
    const instance = this.#instance()
    if (this.isAsleep) return
    this.#wasCordoned = this.#pool.supervised.isCordoned
    this.#asked = instance.instanceId
    onStep('drain')
    try {
      await this.#drained(drainMs)
    } catch (error) {
      this.#serveAgain()
      throw error
    }
    const before = await treeMemory(instance, this.#on.env)
    onStep('sleep')
    try {
      await this.#call(instance, this.#calls.sleep)
      onStep('prove')
      await this.#prove(instance, before)
    } catch (error) {
      await this.#giveUp(instance, error)
      throw error
    }
    this.#sleeper = instance.instanceId
    this.#on.log.info(
      { instance_id: instance.instanceId, freed_from_bytes: before },
      'engine sleeps',
    )
    this.#on.onChange()
  }

  /** Takes the weights back; the pool serves again unless it was drained before. */
  async wakeUp(onStep: (step: string) => void): Promise<void> {
    const instance = this.#instance()
    onStep('wake')
    // Who drained a pool that is awake goes on draining it.
    if (!this.isAsleep && (await this.#isSleeping(instance)) === false) return
    await this.#wake(instance)
  }

  [Symbol.dispose](): void {
    this.#ended.abort()
    this.#stopWatching()
  }

  async #wake(instance: Instance): Promise<void> {
    await this.#call(instance, this.#calls.wake)
    if ((await this.#isSleeping(instance)) !== false)
      throw failed(`${this.#calls.statePath} says that it still sleeps`)
    this.#sleeper = undefined
    this.#on.log.info({ instance_id: instance.instanceId }, 'engine woke up')
    this.#serveAgain()
  }

  #instance(): Instance {
    const { instance, spec } = this.#pool
    if (instance) return instance
    throw new BerthError('POOL_UNREADY', `Pool ${spec.poolId} has no engine that runs.`)
  }

  /** New requests are refused; those in flight end, by force at the deadline. */
  async #drained(deadlineMs: number): Promise<void> {
    const { slots } = this.#pool
    this.#pool.dispatch({ kind: 'drain', deadlineMs, onDeadline: 'force' })
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const cancel = slots.whenIdle(() => resolve(undefined))
    const deadline = this.#on.clock.after(deadlineMs + ASK_TIMEOUT_MS, () => resolve(undefined))
    await promise
    cancel()
    deadline()
    if (slots.active > 0) throw failed(`${slots.active} requests outlived the drain`)
  }

  async #call(instance: Instance, call: EngineCall): Promise<void> {
    const { clock } = this.#on
    const end = await callEngine(instance.access, call, {
      ...{ clock, signal: this.#ended.signal },
      readLine: (line, status) =>
        status === 200
          ? { kind: 'done' }
          : {
              kind: 'failed',
              report: { kind: 'exit', message: `${status} ${line}`, isRetriable: true },
            },
    })
    if (end.kind === 'done') return
    const fact = end.kind === 'failed' ? end.report.message : end.kind
    throw failed(`the engine answers ${call.path} with ${fact.slice(0, 200)}`)
  }

  /** What an engine says of itself is not enough: the driver has to see the memory come free. */
  async #prove(instance: Instance, before: number | undefined): Promise<void> {
    const { clock, env } = this.#on
    if ((await this.#isSleeping(instance)) !== true)
      throw failed(`${this.#calls.statePath} does not say that it sleeps`)
    if (before === undefined)
      throw failed('nobody can tell what it holds of its GPU, so that nothing proves it came free')
    const deadline = clock.now() + PROOF_MS
    for (;;) {
      const now = await treeMemory(instance, env)
      // A process that holds nothing any more is not shown.
      if ((now ?? 0) <= before * LEFT_RATIO_MAX) return
      if (clock.now() >= deadline) throw failed(`it still holds ${now} of ${before} bytes`)
      await sleep(clock, PROOF_POLL_MS, this.#ended.signal)
    }
  }

  async #isSleeping({ access }: Instance): Promise<boolean | undefined> {
    const probe = { path: this.#calls.statePath, timeoutMs: ASK_TIMEOUT_MS }
    const answer = await this.#on.askProbe(access, probe, this.#ended.signal)
    return answer.kind === 'answer' ? this.#calls.readAsleep(answer.body) : undefined
  }

  /** The pool goes on as before; one that cannot even be woken is started anew. */
  async #giveUp(instance: Instance, error: unknown): Promise<void> {
    const message = messageOf(error)
    this.#failure = { instanceId: instance.instanceId, message }
    this.#on.log.error(
      { instance_id: instance.instanceId, error: message },
      'engine does not sleep',
    )
    // It was stopped, or has ended, meanwhile: there is nothing to wake, and nothing to restart.
    if (this.#pool.instance?.instanceId !== instance.instanceId) return this.#serveAgain()
    try {
      await this.#wake(instance)
    } catch (wakeError) {
      const facts = { instance_id: instance.instanceId, error: messageOf(wakeError) }
      this.#on.log.error(facts, 'engine does not wake up: it is started anew')
      this.#pool.dispatch({ kind: 'restart', drainMs: 0 })
      this.#serveAgain()
    }
  }

  async #recall(instance: Instance): Promise<void> {
    this.#asked = instance.instanceId
    if ((await this.#isSleeping(instance)) !== true || this.#sleeper !== undefined) return
    this.#sleeper = instance.instanceId
    this.#on.onChange()
  }

  #serveAgain(): void {
    if (!this.#wasCordoned) this.#pool.dispatch({ kind: 'undrain' })
    this.#on.onChange()
  }

  /** A new engine of the pool is awake, and nobody drained it; one taken over may sleep. */
  #lookAfterSleeper(): void {
    const { instance, supervised } = this.#pool
    const isDrained = supervised.state.kind === 'draining' && supervised.isCordoned
    if (isDrained && instance && this.#asked !== instance.instanceId) void this.#recall(instance)
    if (this.#sleeper === undefined || instance?.instanceId === this.#sleeper) return
    this.#sleeper = undefined
    this.#serveAgain()
  }
}

const failed = (what: string) =>
  new BerthError('ENGINE_FAILED', `Sleep did not work: ${what}. The pool goes on as it was.`)

const unsupported = (poolId: string, message: string) =>
  new BerthError('UNSUPPORTED_OPERATION', message, { facts: { pool_id: poolId } })

/** `undefined` for an engine that cannot be put to sleep, or was not started for it. */
export const sleepOf = (pool: Pool, on: SleepSurroundings): PoolSleep | undefined => {
  const calls = pool.driver.sleepCalls?.(pool.spec.engine)
  return calls && new PoolSleep(pool, calls, on)
}
