import type { Code } from './code.ts'
import { CODE_OF_REASON, type Reason } from './reason.ts'

/** Facts of an error: what a program may read (`required_bytes`, `operation_id`, ...). */
export type Facts = Readonly<Record<string, string | number | boolean>>

/** What a `BerthError` carries beside its reason and message. */
export interface BerthErrorOptions {
  /** How long the caller should wait before trying again, in milliseconds. */
  readonly retryAfterMs?: number
  readonly facts?: Facts
  readonly cause?: unknown
}

/**
 * An error a caller must be told about. `reason` is stable and machine-readable, `message` says
 * what happened, the fact, and the next thing to do. Expected outcomes of a decision are values,
 * not this.
 */
export class BerthError extends Error {
  override readonly name = 'BerthError'
  readonly reason: Reason
  readonly code: Code
  readonly retryAfterMs: number | undefined
  readonly facts: Facts

  constructor(reason: Reason, message: string, options: BerthErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.reason = reason
    this.code = CODE_OF_REASON[reason]
    this.retryAfterMs = options.retryAfterMs
    this.facts = options.facts ?? {}
  }

  /**
   * For edges only: a `BerthError` as it is, anything else as `INTERNAL` with a generic message
   * and the original as `cause`, so that nothing internal leaks to a caller.
   */
  static from(thrown: unknown): BerthError {
    if (thrown instanceof BerthError) return thrown
    return new BerthError('INTERNAL', 'Internal error. The log of this service has the cause.', {
      cause: thrown,
    })
  }
}

/** The message of anything thrown, for logs and for `cause` texts. */
export const messageOf = (thrown: unknown): string =>
  // `instanceof Error` is false across realms (jest runs each suite in one of its own).
  Error.isError(thrown) ? thrown.message : String(thrown)
