import { BerthError, type CorrelationId } from '@berth/kernel'
import { HTTP_OF_REASON, publicReason } from './error-table.ts'

/** Where nothing was measured, this is as good a moment to try again as any. */
const RETRY_AFTER_DEFAULT_MS = 1_000

export interface ErrorAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: {
    readonly error: Readonly<Record<string, string | number | boolean | null>>
  }
}

/** An error as the client sees it: status, headers and OpenAI-shaped envelope. */
export const toErrorAnswer = (error: BerthError, correlationId: CorrelationId): ErrorAnswer => {
  const code = publicReason(error.reason)
  const { status, type, retriable } = HTTP_OF_REASON[code]
  const retryAfterMs =
    error.retryAfterMs ??
    (status === 429 || (status === 503 && retriable) ? RETRY_AFTER_DEFAULT_MS : undefined)
  const { param, ...facts } = error.facts
  return {
    status,
    headers: retryAfterMs === undefined || !retriable ? {} : retryHeaders(retryAfterMs),
    body: {
      error: {
        ...facts,
        message: error.message,
        type,
        param: param ?? null,
        code,
        retriable,
        ...(retryAfterMs === undefined ? {} : { retry_after_ms: Math.ceil(retryAfterMs) }),
        correlation_id: correlationId,
      },
    },
  }
}

const retryHeaders = (ms: number) => ({
  'Retry-After': String(Math.max(1, Math.ceil(ms / 1_000))),
  'X-Backoff-Ms': String(Math.ceil(ms)),
})

/** `INVALID_PARAMS` about one field or header. */
export const invalidParam = (param: string, message: string): BerthError =>
  new BerthError('INVALID_PARAMS', message, { facts: { param } })
