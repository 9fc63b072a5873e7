import { every, type Cancel, type Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import {
  loadPhaseOf,
  type CrashReport,
  type LoadPhase,
  type LoadProgress,
  type LoadStep,
  type Supervised,
} from '@berth/supervision'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { withModel } from '../pools-file/with-model.ts'
import type { LoadTimes } from '../state/load-times.ts'
import { beginLoad, type Loading } from './loading.ts'

export interface LoadFollowerOptions {
  readonly clock: Clock
  readonly log: Logger
  /** Absent: nothing is known of earlier loads, and nothing learned. */
  readonly times?: LoadTimes | undefined
  readonly look: () => { readonly supervised: Supervised; readonly spec: PoolSpec }
}

/** Tells how far the model of one pool is on its way into the engine. */
export interface LoadFollower extends Disposable {
  /** Of the load that goes on, as it is now. */
  readonly current: LoadProgress | undefined
  /** The pool changed. */
  changed(): void
  /** An instance came to its end: why, should it be the end of a load. */
  ended(report: CrashReport): void
  /** Calls `fn` at the beginning and end of each load, and at most twice a second between. */
  onProgress(fn: (progress: LoadProgress) => void): Cancel
}

const TELL_MS = 500
/** 003-NFR-016: every 10 to 20 s. */
const LOG_MS = 15_000

export const createLoadFollower = (options: LoadFollowerOptions): LoadFollower => {
  const { clock, log, look } = options
  const listeners = new Set<(progress: LoadProgress) => void>()
  let loading: Loading | undefined
  let stopTicking: Cancel = () => {}
  let told = ''
  let loggedAt = 0
  let lastReport: CrashReport | undefined
  /** The engine that is up is not the one that is waited for. */
  let isStaging = false

  const tell = (progress: LoadProgress) => {
    told = newsOf(progress)
    for (const listener of [...listeners]) listener(progress)
  }
  const tick = () => {
    const progress = loading?.progress()
    if (!progress) return
    if (newsOf(progress) !== told) tell(progress)
    if (clock.now() - loggedAt < LOG_MS) return
    loggedAt = clock.now()
    log.info(factsOf(progress), 'model is being loaded')
  }
  const begin = (phase: LoadPhase, seen: Seen, spec: PoolSpec) => {
    loading = beginLoad(spec, phase, options)
    if (!loading) return
    loading.goOn(seen)
    loggedAt = clock.now()
    lastReport = undefined
    stopTicking = every(clock, TELL_MS, tick)
    tell(loading.progress())
  }
  const end = (supervised: Supervised) => {
    const last = loading?.end(failureOf(supervised, { lastReport, isStaging }))
    stopTicking()
    loading = undefined
    if (last) tell(last)
  }
  return {
    get current() {
      return loading?.progress()
    },
    changed: () => {
      const { supervised, spec } = look()
      const seen = lookAt(supervised)
      if (!seen || (loading && loading.modelRef !== seen.model)) end(supervised)
      if (!seen) return
      isStaging = seen.isStaging
      if (loading) return loading.goOn(seen)
      if (seen.phase) begin(seen.phase, seen, withModel(spec, seen.model))
    },
    ended: (report) => {
      lastReport = report
    },
    onProgress: (fn) => {
      listeners.add(fn)
      return () => listeners.delete(fn)
    },
    [Symbol.dispose]: () => {
      stopTicking()
      listeners.clear()
    },
  }
}

interface Seen {
  readonly model: string
  readonly phase: LoadPhase | undefined
  readonly step: LoadStep | undefined
  /** The old engine is up, or is being ended. */
  readonly isStaging: boolean
}

/** What of a load a pool shows: of which model, where it stands; `undefined` while there is none. */
const lookAt = (pool: Supervised): Seen | undefined => {
  const { state, reload, model } = pool
  if (state.kind === 'preparing' || (state.kind === 'starting' && !isTakenOver(pool)))
    return { model, phase: loadPhaseOf(state), step: state.load, isStaging: false }
  return reload?.load && (reload.phase === 'stage' || reload.phase === 'switch')
    ? { model: reload.to, phase: reload.load.phase, step: reload.load, isStaging: true }
    : undefined
}

/** What an earlier life of the agent has started was loaded then. */
const isTakenOver = ({ transitions }: Supervised): boolean => transitions.at(-1)?.from === 'stopped'

/** Why a load ended where the pool is now; `undefined` when its engine serves. */
const failureOf = (
  { state, lastReload }: Supervised,
  of: { readonly lastReport: CrashReport | undefined; readonly isStaging: boolean },
) => {
  const last = of.lastReport
  if (state.kind === 'ready' || state.kind === 'draining')
    return of.isStaging && lastReload && 'cause' in lastReload
      ? failed(lastReload.cause, lastReload.message)
      : undefined
  if (state.kind === 'crashed' || state.kind === 'backoff')
    return failed(state.report.kind, state.report.message)
  if (state.kind === 'failed') return failed(last?.kind ?? state.reason, state.message)
  return last ? failed(last.kind, last.message) : failed('stopped', 'It was stopped meanwhile.')
}

const failed = (reason: string, message: string) => ({ reason, message })

/** What is worth telling again when it changes. */
const newsOf = ({ phase, percent, bytesDone, completedAtMs }: LoadProgress): string =>
  [phase, Math.floor(percent), bytesDone, completedAtMs].join(' ')

const factsOf = (progress: LoadProgress) => ({
  model_id: progress.modelId,
  phase: progress.phase,
  progress_percent: Math.floor(progress.percent),
  bytes_downloaded: progress.bytesDone,
  total_bytes: progress.bytesTotal,
  eta_ms: progress.etaMs,
})
