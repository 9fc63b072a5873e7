import type { CrashReport, EngineExit, ProbeResult } from './driver.ts'
import type { LoadSign } from './load-step.ts'
import type { DrainDeadline } from './pool-state.ts'

/** Timers a supervisor holds, at most one of each name. */
export type TimerName =
  | 'life'
  | 'load'
  | 'probe'
  | 'watch'
  | 'kill'
  | 'backoff'
  | 'reopen'
  | 'drain'
  | 'settle'
  | 'stable'

/** Everything that can happen to a pool. Events of an instance that is no more change nothing. */
export type SupervisionEvent =
  | { readonly kind: 'start' }
  /** A process that an earlier life of the agent started runs on, and is ours again. */
  | { readonly kind: 'adopt'; readonly adopted: { readonly instanceId: string } }
  /** `drainMs` 0 stops at once; otherwise requests may finish for that long. */
  | { readonly kind: 'stop'; readonly drainMs: number }
  | { readonly kind: 'restart'; readonly drainMs: number }
  /** Another model; the one it has is no change. */
  | {
      readonly kind: 'reload'
      readonly model: string
      readonly deadlineMs: number
      readonly onDeadline: DrainDeadline
    }
  /** The files of the model are on this machine and are what they should be. */
  | { readonly kind: 'staged'; readonly model: string }
  | { readonly kind: 'stage_failed'; readonly model: string; readonly report: CrashReport }
  /** They come further. */
  | ({ readonly kind: 'stage_sign'; readonly model: string } & LoadSign)
  | { readonly kind: 'drain'; readonly deadlineMs: number; readonly onDeadline: DrainDeadline }
  | { readonly kind: 'undrain' }
  | { readonly kind: 'reset_restarts' }
  /** The process runs, or the watched server has an address. */
  | { readonly kind: 'launched'; readonly instanceId: string }
  /** Nothing runs: the model is missing, or the binary cannot be started. */
  | { readonly kind: 'launch_failed'; readonly instanceId: string; readonly report: CrashReport }
  /** The log grew. */
  | { readonly kind: 'output'; readonly instanceId: string }
  /** Its files or its engine came further, or said where they are. */
  | ({ readonly kind: 'load_sign'; readonly instanceId: string } & LoadSign)
  /** It runs, and must not go on: it did not get what it was granted. */
  | { readonly kind: 'load_failed'; readonly instanceId: string; readonly report: CrashReport }
  | {
      readonly kind: 'probed'
      readonly instanceId: string
      readonly result: ProbeResult
      /** Something answered, whatever it said. */
      readonly isListening: boolean
      /** No request runs in the pool. */
      readonly isIdle: boolean
    }
  | {
      readonly kind: 'observed'
      readonly instanceId: string
      /** Requests wait for the engine, and it could show that it works on them. */
      readonly isBusy: boolean
      /** Names all the engine has done; another text means that it did something since. */
      readonly progress: string
    }
  | {
      readonly kind: 'exited'
      readonly instanceId: string
      readonly report: CrashReport
      readonly exit?: EngineExit
    }
  /** The whole process group is dead and the port is free. */
  | { readonly kind: 'gone'; readonly instanceId: string }
  /** A device of the pool cannot be used: why, and what to do about it. */
  | { readonly kind: 'device_fault'; readonly message: string }
  /** Every device of the pool can be used again. */
  | { readonly kind: 'device_ok' }
  /** No request is in flight, while draining. */
  | { readonly kind: 'idle'; readonly instanceId: string }
  /** A request came while none was in flight. */
  | { readonly kind: 'busy' }
  | { readonly kind: 'timer'; readonly name: TimerName }
