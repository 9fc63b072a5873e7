import type { CrashReport, LoadProgress } from '@berth/supervision'

/** A change of one model that goes on in an engine. */
export interface ModelJob {
  readonly kind: 'load' | 'unload'
  /** The engine's name of the model. */
  readonly name: string
  /** What it does now: "wait", "download", "load", "drain" or "unload". */
  readonly step: string
  /** Of a load that has begun; the last one is of its end. */
  readonly progress: LoadProgress | undefined
  /** `undefined`: it came to what was asked for. Never rejects. */
  readonly ended: Promise<JobFailure | undefined>
  /** Calls `fn` after changes of step and progress, at most twice a second, and once at the end. */
  onChange(fn: () => void): void
  /** Nobody waits for it any more. */
  cancel(): void
}

/** Why a job came to nothing. */
export interface JobFailure {
  readonly report: CrashReport
  /** Requests that outlived a drain. */
  readonly activeRequests?: number
  /** It was done, and an agent that is started again would not know of it. Absent is false. */
  readonly isNotKept?: boolean
}

/** A job that was never carried out, and why. */
export const failureOf = (message: string): JobFailure => ({
  report: { kind: 'stopped', message, isRetriable: true },
})
