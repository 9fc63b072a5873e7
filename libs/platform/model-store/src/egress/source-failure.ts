/** A source that did not answer as it should: what another attempt may mend. */
export class SourceFailure extends Error {
  override readonly name = 'SourceFailure'
  /** How long the source asks us to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(message: string, options: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.retryAfterMs = options.retryAfterMs
  }
}
