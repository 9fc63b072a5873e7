import type { CrashReport, EngineExit, LoadPhase } from './driver.ts'
import type { LoadStep } from './load-step.ts'

/** Why a pool was given up: nothing but a person, or the breaker's next trial, starts it again. */
export type FailReason = 'breaker' | 'config' | 'model' | 'gpu_required'

/** What a drain leads to: an idle engine that keeps running, a stop, a new instance, a new model. */
export type DrainGoal = 'hold' | 'stop' | 'restart' | 'reload'

/** At the deadline of a drain: end what still runs, or take requests again. */
export type DrainDeadline = 'force' | 'abort'

interface Serving {
  readonly instanceId: string
  readonly readyAt: number
  /** Probes missed in a row. */
  readonly failures: number
  /** When it is asked next, while nothing runs on it; absent while it is asked as often as ever. */
  readonly restsUntil?: number
  /** Serves, but answers slowly or failed open. */
  readonly isDegraded: boolean
  /** While requests wait for the engine: what it had done, and since when nothing was added. */
  readonly stall?: { readonly progress: string; readonly since: number }
}

/**
 * Where a pool stands. A state holds only what it needs; times are on the supervisor's monotonic
 * clock. At most one instance exists at a time, and only in the states that name it.
 */
export type PoolState =
  | { readonly kind: 'stopped' }
  | {
      readonly kind: 'preparing'
      readonly instanceId: string
      /** How far the files of its model have come; absent while nothing is fetched. */
      readonly load?: LoadStep | undefined
    }
  | {
      readonly kind: 'starting'
      readonly instanceId: string
      readonly startedAt: number
      /** It printed a line or opened its port. */
      readonly hasSignOfLife: boolean
      /** When it last printed something: loading is slow, silence is not loading. */
      readonly progressAt: number
      /** How far its engine says it has come; absent while it has said nothing of it. */
      readonly load?: LoadStep | undefined
    }
  | ({ readonly kind: 'ready' } & Serving)
  | ({
      readonly kind: 'draining'
      readonly goal: DrainGoal
      readonly onDeadline: DrainDeadline
    } & Serving)
  | {
      readonly kind: 'stopping'
      readonly instanceId: string
      readonly goal: 'stop' | 'restart'
      readonly kills: number
    }
  /** Ended unexpectedly; what is left of its process group is being cleared away. */
  | {
      readonly kind: 'crashed'
      readonly instanceId: string
      readonly report: CrashReport
      readonly exit?: EngineExit
      readonly kills: number
    }
  | { readonly kind: 'backoff'; readonly delayMs: number; readonly report: CrashReport }
  | { readonly kind: 'failed'; readonly reason: FailReason; readonly message: string }

/** The name of a state, as snapshots carry it. */
export type PoolStateKind = PoolState['kind']

/** The instance of a state, `undefined` where there is none. */
export const instanceOf = (state: PoolState): string | undefined =>
  'instanceId' in state ? state.instanceId : undefined

/**
 * The part of a start that goes on. An engine that runs and has not told of itself loads;
 * `undefined` where nothing starts, or nothing is known of it.
 */
export const loadPhaseOf = (state: PoolState): LoadPhase | undefined => {
  if (state.kind === 'preparing') return state.load?.phase
  return state.kind === 'starting' ? (state.load?.phase ?? 'load') : undefined
}
