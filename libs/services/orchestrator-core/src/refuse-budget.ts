import {
  leftOf,
  type Amounts,
  type BudgetKind,
  type BudgetOwner,
  type Opening,
} from '@berth/admission'
import type { Core } from './core-state.ts'
import type { Refusal } from './refusal.ts'

/** Why a budget refuses, what is left of it, and when it refills: of sessions and jobs, never. */
export const refuseBudget = (
  core: Core,
  { account, lacking }: Extract<Opening, { readonly kind: 'refused' }>,
  amounts: Amounts,
): Refusal => {
  const { owner, windowEndMs } = account
  const remaining = leftOf(account)
  const retryAfterMs =
    windowEndMs === undefined ? 0 : Math.max(1, Math.ceil(windowEndMs - core.clock.wall()))
  const refills =
    windowEndMs === undefined
      ? 'It does not refill.'
      : `It refills at ${new Date(windowEndMs).toISOString()}.`
  return {
    reason: 'BUDGET_EXHAUSTED',
    message:
      `The ${NAMES[lacking]} budget of this ${owner} has ${remaining[lacking]} of ` +
      `${account.limit[lacking]} left, and the request may take ${amounts[lacking]}. ${refills}`,
    ...{ retryAfterMs, remaining, budgetOwner: owner },
    ...{ policyLabel: 'budget', placementReason: '' },
  }
}

/** Why a key that sends too much a minute is refused, and when it is not any more. */
export const refuseRate = (perMinute: number, retryAfterMs: number): Refusal => ({
  reason: 'RATE_LIMITED',
  message: `This key may send ${perMinute} requests a minute. Send the request again later.`,
  ...{ retryAfterMs, policyLabel: 'requests-per-minute', placementReason: '' },
})

/** Why a session that has had all its turns, or will with those that run, takes no other. */
export const refuseTurns = (sessionId: string, turnsMax: number, hasEnded: boolean): Refusal => ({
  reason: 'ADMISSION_REJECT',
  message: hasEnded
    ? `The session ${sessionId} has had its ${turnsMax} turns and is over. The next request with ` +
      'this id begins a new one.'
    : `The session ${sessionId} may have ${turnsMax} turns, and those that run are the last.`,
  ...{ retryAfterMs: hasEnded ? 0 : 1_000, policyLabel: 'session-turns', placementReason: '' },
})

/** What a refusal may say of a budget. */
export interface BudgetFacts {
  readonly remaining?: ReturnType<typeof leftOf>
  readonly budgetOwner?: BudgetOwner
}

const NAMES: Readonly<Record<BudgetKind, string>> = {
  tokens: 'token',
  timeMs: 'time (ms)',
  costMicros: 'cost (millionths)',
}
