import { costOfMicros } from './cost.ts'
import type { Grant } from './session.ts'

/** Left of the tightest budget of each kind; absent: not limited. */
export interface Remaining {
  readonly tokens?: bigint | number | undefined
  readonly timeMs?: bigint | number | undefined
  readonly costMicros?: bigint | number | undefined
}

/** What a client is told of where its request ran, and what that left of its budgets. */
export const grantHeaders = (grant: Grant, attempt: number): Readonly<Record<string, string>> => ({
  'x-berth-pool': grant.poolId,
  'x-berth-queue-ms': String(grant.queuedMs),
  'x-berth-retries': String(attempt),
  ...(grant.seed === undefined ? {} : { 'x-berth-seed': String(grant.seed) }),
  ...budgetHeaders(grant.remaining ?? {}),
})

/** One header for each budget there is. */
export const budgetHeaders = (remaining: Remaining): Readonly<Record<string, string>> => {
  const { tokens, timeMs, costMicros } = remaining
  return {
    ...(tokens === undefined ? {} : { 'x-budget-tokens-remaining': String(tokens) }),
    ...(timeMs === undefined ? {} : { 'x-budget-time-remaining-ms': String(timeMs) }),
    ...(costMicros === undefined
      ? {}
      : { 'x-budget-cost-remaining': costOfMicros(Number(costMicros)) }),
  }
}
