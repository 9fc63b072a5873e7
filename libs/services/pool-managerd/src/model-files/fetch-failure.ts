import { BerthError, messageOf, type Reason } from '@berth/kernel'
import type { CrashReport } from '@berth/supervision'

const KIND: Readonly<Partial<Record<Reason, CrashReport['kind']>>> = {
  MODEL_NOT_FOUND: 'model_not_found',
  UNAUTHENTICATED: 'access_denied',
  FORBIDDEN: 'gated',
  UNTRUSTED_ARTIFACT: 'model_invalid',
  INSUFFICIENT_DISK: 'disk_full',
  INVALID_PARAMS: 'bad_option',
}

/** Room may come, and networks do; the rest takes a person. */
const RETRIABLE: ReadonlySet<CrashReport['kind']> = new Set(['disk_full', 'fetch_failed'])

/** Why a model could not be brought here, as the end of a start. */
export const fetchFailure = (error: unknown): CrashReport => {
  const { reason, message } = BerthError.from(error)
  const kind = KIND[reason] ?? 'fetch_failed'
  // What is no error for callers has its cause.
  const told =
    reason === 'INTERNAL' ? `The model could not be fetched: ${causeOf(error)}.` : message
  return { kind, message: told, isRetriable: RETRIABLE.has(kind) }
}

const causeOf = (error: unknown): string => messageOf(error).slice(0, 500)
