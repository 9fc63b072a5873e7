import { BerthError, type CorrelationId, type Facts } from '@berth/kernel'
import { budgetHeaders, type Remaining } from '../grant-headers.ts'
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
  const { status, type, retriable: mayPass } = HTTP_OF_REASON[code]
  // The budget of a session does not refill: core names no moment.
  const isSpent = code === 'BUDGET_EXHAUSTED' && error.retryAfterMs === undefined
  const retriable = mayPass && !isSpent
  const retryAfterMs =
    error.retryAfterMs ??
    ((status === 429 && !isSpent) || (status === 503 && retriable)
      ? RETRY_AFTER_DEFAULT_MS
      : undefined)
  const { param, ...facts } = error.facts
  return {
    status,
    headers: {
      ...(retryAfterMs === undefined || !retriable ? {} : retryHeaders(retryAfterMs)),
      // SDKs of OpenAI would try a 429 again.
      ...(isSpent ? { 'X-Should-Retry': 'false' } : {}),
      ...budgetHeaders(remainingOf(error)),
      // RFC 9110, 11.6.1.
      ...(status === 401 ? { 'WWW-Authenticate': 'Bearer realm="berth"' } : {}),
    },
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

/** What core said is left of the budget that refused the job. */
const remainingOf = ({ facts }: BerthError): Remaining => ({
  ...amount('tokens', facts['remaining_tokens']),
  ...amount('timeMs', facts['remaining_time_ms']),
  ...amount('costMicros', facts['remaining_cost_micros']),
})

const amount = (key: keyof Remaining, value: Facts[string] | undefined): Remaining =>
  typeof value === 'number' ? { [key]: value } : {}

const retryHeaders = (ms: number) => ({
  'Retry-After': String(Math.max(1, Math.ceil(ms / 1_000))),
  'X-Backoff-Ms': String(Math.ceil(ms)),
})

/** `INVALID_PARAMS` about one field or header. */
export const invalidParam = (param: string, message: string): BerthError =>
  new BerthError('INVALID_PARAMS', message, { facts: { param } })
