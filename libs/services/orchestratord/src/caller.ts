import type { BerthError } from '@berth/kernel'
import type { QueueState } from './session.ts'

/** What goes to the client before the first byte of a body. */
export interface AnswerHead {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** What Berth adds to the answer: pool, queue time, retries. */
  readonly berth: Readonly<Record<string, string>>
}

/**
 * Whoever waits for the answer of one request, as a port. After `end` or `fail` nothing more is
 * called.
 */
export interface Caller {
  /** Aborted when the caller left. */
  readonly gone: AbortSignal
  /** The job waits, or its place changed. */
  queued(state: QueueState): void
  /** The job has a slot: the wait is over. */
  started(): void
  /** Opens the answer. From here on it cannot be tried again elsewhere. */
  answer(head: AnswerHead): void
  /** Resolves when more may be written; rejects when the caller left or reads too slowly. */
  write(chunk: Uint8Array): Promise<void> | undefined
  end(): void
  /** Ends with an error: an envelope, a terminal event, or a broken body, whichever is left. */
  fail(error: BerthError): void
}
