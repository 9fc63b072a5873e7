import type { Rng } from '@berth/kernel'
import type { CrashReport } from './driver.ts'
import type { RestartPolicy } from './policy.ts'

/** What the restart policy remembers of a pool. Bounded by the policy's intensity. */
export interface RestartHistory {
  /** When automatic restarts happened, oldest first; only those the window still counts. */
  readonly restarts: readonly number[]
  /** Restarts since the last stable run: the exponent of the backoff. */
  readonly attempts: number
  /** Every automatic restart of this agent's life. */
  readonly total: number
  /** Of any start, manual ones included. */
  readonly lastStartAt: number | undefined
  /** How often the breaker opened without closing since: 0 is closed. */
  readonly openings: number
}

/** The history of an engine that has never crashed. */
export const NO_RESTARTS: RestartHistory = {
  restarts: [],
  attempts: 0,
  total: 0,
  lastStartAt: undefined,
  openings: 0,
}

/** What to do about a crash. Delays in milliseconds. */
export type RestartDecision =
  | { readonly kind: 'restart'; readonly delayMs: number }
  /** The breaker opens; one trial is due after `reopenMs`. */
  | { readonly kind: 'give_up'; readonly reopenMs: number }

/**
 * Whether and when a crashed engine starts again: exponential backoff with jitter, doubled after a
 * device error and capped all the same, never sooner than `minBetweenStartsMs` after the last
 * start, and never more than `intensity` restarts in a window. A failed trial of an open breaker
 * opens it again.
 */
export const decideRestart = (
  history: RestartHistory,
  report: CrashReport,
  policy: RestartPolicy,
  { now, rng }: { readonly now: number; readonly rng: Rng },
): RestartDecision => {
  if (history.openings > 0) return { kind: 'give_up', reopenMs: reopenMs(history, policy) }
  const times = report.kind === 'device_error' ? policy.deviceErrorFactor : 1
  const delayMs = Math.max(
    backoffMs(history.attempts, times, policy, rng),
    (history.lastStartAt ?? -Infinity) + policy.minBetweenStartsMs - now,
  )
  const recent = within(history.restarts, now + delayMs, policy)
  if (recent.length >= policy.intensity)
    return { kind: 'give_up', reopenMs: reopenMs(history, policy) }
  return { kind: 'restart', delayMs }
}

const backoffMs = (
  attempts: number,
  times: number,
  { backoff }: RestartPolicy,
  rng: Rng,
): number => {
  const plain = Math.min(backoff.maxMs, times * backoff.initialMs * backoff.factor ** attempts)
  return Math.round(plain * (1 + backoff.jitter * (2 * rng.float() - 1)))
}

const reopenMs = (history: RestartHistory, policy: RestartPolicy): number =>
  Math.min(policy.breakerMaxOpenMs, policy.breakerOpenMs * 2 ** history.openings)

const within = (restarts: readonly number[], at: number, policy: RestartPolicy) =>
  restarts.filter((restart) => restart > at - policy.windowMs)

/** A start at `now`; an automatic one counts against the intensity. */
export const recordStart = (
  history: RestartHistory,
  policy: RestartPolicy,
  { now, isAutomatic }: { readonly now: number; readonly isAutomatic: boolean },
): RestartHistory =>
  isAutomatic
    ? {
        ...history,
        restarts: [...within(history.restarts, now, policy), now],
        attempts: history.attempts + 1,
        total: history.total + 1,
        lastStartAt: now,
      }
    : { ...history, lastStartAt: now }

/** The breaker opened once more. */
export const recordOpening = (history: RestartHistory): RestartHistory => ({
  ...history,
  openings: history.openings + 1,
})
