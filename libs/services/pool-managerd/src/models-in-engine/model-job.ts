import type { LoadProgressSchema } from '@berth/contract'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { CrashReport } from '@berth/supervision'

/** How far a load has come, as messages show it. */
export type LoadMessage = MessageInitShape<typeof LoadProgressSchema>

/** A change of one model that goes on in an engine. */
export interface ModelJob {
  readonly kind: 'load' | 'unload'
  readonly name: string
  /** What it does now, such as "download", "load", "drain", "unload". */
  readonly step: string
  /** Of a load that has begun. */
  readonly progress: LoadMessage | undefined
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
}

/** A job that was never carried out, and why. */
export const failureOf = (message: string): JobFailure => ({
  report: { kind: 'stopped', message, isRetriable: true },
})
