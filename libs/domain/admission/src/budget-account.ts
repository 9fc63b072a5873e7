import {
  add,
  BUDGET_KINDS,
  NOTHING,
  type Amounts,
  type Budget,
  type BudgetKind,
  type BudgetOwner,
} from './budget.ts'

/** What one release came to. */
export interface Settlement {
  readonly gatewayId: string
  /** Counts the releases of the gateway from 1; 0: it does not count, and may be settled twice. */
  readonly sequence: number
  readonly amounts: Amounts
  /** 1 for a finished turn of a session. */
  readonly turns: number
}

/** What is stored of an account, and how far each gateway's releases are in it. */
export interface Tally {
  readonly spent: Amounts
  readonly turns: number
  /** Unix milliseconds; of another window than the account's, `spent` says nothing. */
  readonly windowEndMs: number | undefined
  readonly reached: ReadonlyMap<string, number>
}

/**
 * What an owner may spend and has spent. `stored` is what outlives this leader; `unstored` is what
 * came since, release by release, so that it can be put on top of whatever turns out to be stored:
 * a release is in `stored` or in `unstored`, never in both, whoever wrote it.
 */
export interface BudgetAccount {
  readonly accountId: string
  readonly owner: BudgetOwner
  limit: Budget
  /** Unix milliseconds when all that was spent is forgotten; undefined: never. */
  windowEndMs: number | undefined
  /** Set aside for jobs that wait or run. */
  reserved: Amounts
  /** Stored and unstored. */
  spent: Amounts
  turns: number
  stored: { spent: Amounts; turns: number }
  unstored: Settlement[]
  /** Settlements at the head of `unstored` that are being stored. */
  storing: number
  /** The last release of each gateway that is counted. */
  readonly reached: Map<string, number>
}

/** Lives of gateways remembered; those that were here longest ago leave. */
const GATEWAYS_MAX = 256
/** More settlements than these are folded, one for each gateway. */
const UNSTORED_MAX = 1_024

/** An account nobody has used. */
export const createAccount = (
  accountId: string,
  owner: BudgetOwner,
  limit: Budget,
  windowEndMs?: number,
): BudgetAccount => ({
  ...{ accountId, owner, limit, windowEndMs },
  ...{ reserved: NOTHING, spent: NOTHING, turns: 0 },
  stored: { spent: NOTHING, turns: 0 },
  ...{ unstored: [], storing: 0, reached: new Map() },
})

/** What may still be reserved of each limited kind. */
export const leftOf = ({ limit, spent, reserved }: BudgetAccount): Budget => {
  const left: { -readonly [Kind in BudgetKind]?: number } = {}
  for (const kind of BUDGET_KINDS) {
    const most = limit[kind]
    if (most !== undefined) left[kind] = Math.max(0, most - spent[kind] - reserved[kind])
  }
  return left
}

/** The kind that has not as much left; undefined when every kind has. */
export const lacks = (account: BudgetAccount, amounts: Amounts): BudgetKind | undefined => {
  const left = leftOf(account)
  return BUDGET_KINDS.find((kind) => amounts[kind] > (left[kind] ?? Infinity))
}

/** Counts a release, once: false for one that is counted already. */
export const settle = (account: BudgetAccount, settlement: Settlement): boolean => {
  const { gatewayId, sequence, amounts, turns } = settlement
  if (sequence > 0 && sequence <= (account.reached.get(gatewayId) ?? 0)) return false
  if (sequence > 0) reach(account.reached, gatewayId, sequence)
  account.unstored.push(settlement)
  account.spent = add(account.spent, amounts)
  account.turns += turns
  if (account.unstored.length > UNSTORED_MAX && account.storing === 0) fold(account)
  return true
}

/** Begins a new window when the old one is over; what is reserved stays reserved. */
export const roll = (account: BudgetAccount, wallMs: number, windowEndMs: number): boolean => {
  if (account.windowEndMs === undefined || wallMs < account.windowEndMs) return false
  account.windowEndMs = windowEndMs
  forget(account)
  return true
}

/** Forgets what was spent. Which releases were counted is kept: none of them counts again. */
export const forget = (account: BudgetAccount): void => {
  account.stored = { spent: NOTHING, turns: 0 }
  account.unstored = account.unstored.map((one) => ({ ...one, amounts: NOTHING, turns: 0 }))
  account.spent = NOTHING
  account.turns = 0
}

/** What is to be stored now. Ends with `endStoring`. */
export const beginStoring = (account: BudgetAccount): Tally => {
  account.storing = account.unstored.length
  const { spent, turns, windowEndMs } = account
  return { spent, turns, windowEndMs, reached: new Map(account.reached) }
}

/** Ends what `beginStoring` began. Without success all of it counts as unstored. */
export const endStoring = (account: BudgetAccount, isStored: boolean): void => {
  const count = account.storing
  account.storing = 0
  if (!isStored) return
  for (const { amounts, turns } of account.unstored.splice(0, count)) {
    const { stored } = account
    account.stored = { spent: add(stored.spent, amounts), turns: stored.turns + turns }
  }
}

/**
 * Puts what is not stored on top of what was found stored, written by whomever: releases that are
 * in there already are not counted again.
 */
export const rebase = (account: BudgetAccount, found: Tally): void => {
  const [mine, theirs] = [account.windowEndMs ?? 0, found.windowEndMs ?? 0]
  if (theirs > mine) {
    forget(account)
    account.windowEndMs = found.windowEndMs
  }
  const { spent, turns } = theirs < mine ? { spent: NOTHING, turns: 0 } : found
  account.stored = { spent, turns }
  account.unstored = account.unstored.filter(
    ({ gatewayId, sequence }) => sequence === 0 || sequence > (found.reached.get(gatewayId) ?? 0),
  )
  for (const [gatewayId, sequence] of found.reached) {
    if (sequence > (account.reached.get(gatewayId) ?? 0))
      reach(account.reached, gatewayId, sequence)
  }
  account.spent = account.unstored.reduce((sum, { amounts }) => add(sum, amounts), spent)
  account.turns = account.unstored.reduce((sum, one) => sum + one.turns, turns)
}

const reach = (reached: Map<string, number>, gatewayId: string, sequence: number) => {
  // A map keeps insertion order: set again means young again.
  reached.delete(gatewayId)
  reached.set(gatewayId, sequence)
  if (reached.size > GATEWAYS_MAX) reached.delete(reached.keys().next().value as string)
}

/** One settlement for each gateway. Kept apart they could be taken out one by one. */
const fold = (account: BudgetAccount) => {
  const sums = new Map<string, Settlement>()
  for (const one of account.unstored) {
    const before = sums.get(one.gatewayId)
    if (!before) sums.set(one.gatewayId, one)
    else {
      const { gatewayId } = one
      const sequence = Math.max(before.sequence, one.sequence)
      const [amounts, turns] = [add(before.amounts, one.amounts), before.turns + one.turns]
      sums.set(gatewayId, { gatewayId, sequence, amounts, turns })
    }
  }
  account.unstored = [...sums.values()]
}
