import type { GetAnswer } from './http-get.ts'
import { SourceFailure } from './source-failure.ts'

const RETRY_AFTER_MAX_MS = 60_000

/** What may pass of a status: a busy source, or one that is broken for now. */
export const passingFailure = ({ status, headers, url }: GetAnswer): SourceFailure | undefined => {
  if (status !== 408 && status !== 425 && status !== 429 && status < 500) return undefined
  return sourceFailure(`${url.host} answers ${status}`, headers['retry-after'])
}

/** With the wait that a source asks for in seconds, up to a minute. */
const sourceFailure = (message: string, retryAfter: string | undefined): SourceFailure => {
  const seconds = Number(retryAfter ?? Number.NaN)
  return new SourceFailure(
    message,
    seconds > 0 ? { retryAfterMs: Math.min(seconds * 1000, RETRY_AFTER_MAX_MS) } : {},
  )
}
