import type { CrashReport, EngineExit } from './driver.ts'
import type { PoolStateKind } from './pool-state.ts'
import type { TimerName } from './supervision-event.ts'

/** What the supervisor's shell is to do, in order. */
export type Effect =
  /** Find model and port, plan, spawn; answered by `launched` or `launch_failed`. */
  | { readonly kind: 'launch'; readonly instanceId: string; readonly model: string }
  /** Bring the model to this machine; answered by `staged` or `stage_failed`. */
  | { readonly kind: 'stage'; readonly model: string }
  /** The pool serves it for good: the next life of the agent starts with it. */
  | { readonly kind: 'keep_model'; readonly model: string }
  /** Ask the engine's ready probes once; answered by `probed`. */
  | { readonly kind: 'probe'; readonly instanceId: string }
  /** Look at what the engine has done so far; answered by `observed`. */
  | { readonly kind: 'observe'; readonly instanceId: string }
  /** To the whole process group. */
  | {
      readonly kind: 'signal'
      readonly instanceId: string
      readonly signal: 'SIGTERM' | 'SIGKILL'
    }
  /** Answered by `gone`. */
  | { readonly kind: 'await_gone'; readonly instanceId: string }
  /** Answered by `idle` once no request is in flight, at once if none is. */
  | { readonly kind: 'await_idle'; readonly instanceId: string }
  /** Ends what is in flight with a terminal error. */
  | { readonly kind: 'abort_requests' }
  /** Replaces a timer of the same name. */
  | { readonly kind: 'arm_timer'; readonly name: TimerName; readonly ms: number }
  | { readonly kind: 'cancel_timers' }
  /** For the log, the counters and the event stream. */
  | {
      readonly kind: 'transitioned'
      readonly from: PoolStateKind
      readonly to: PoolStateKind
      readonly reason: string
      readonly instanceId: string | undefined
    }
  /** An instance came to its end by itself, or was ended for being unwell. */
  | {
      readonly kind: 'instance_ended'
      readonly instanceId: string
      readonly report: CrashReport
      /** Absent when no end was seen: nothing was started. */
      readonly exit?: EngineExit
      /** Until the next start; absent when there will be none. */
      readonly backoffMs?: number
    }
