import { add, BUDGET_KINDS, isLimited, subtract, type Amounts, type Budget } from './budget.ts'
import type { BudgetKind } from './budget.ts'
import { lacks, leftOf, type BudgetAccount } from './budget-account.ts'

/** What is set aside in the accounts of one job, from its admission to its end. */
export interface Charge {
  readonly accounts: readonly BudgetAccount[]
  readonly reserved: Amounts
  isOpen: boolean
}

/** What came of asking for a charge. */
export type Opening =
  | { readonly kind: 'open'; readonly charge: Charge }
  /** The account that has not enough left of `lacking`. Nothing was set aside anywhere. */
  | { readonly kind: 'refused'; readonly account: BudgetAccount; readonly lacking: BudgetKind }

/** Sets amounts aside in every account, or in none. */
export const openCharge = (accounts: readonly BudgetAccount[], amounts: Amounts): Opening => {
  for (const account of accounts) {
    const lacking = lacks(account, amounts)
    if (lacking) return { kind: 'refused', account, lacking }
  }
  return { kind: 'open', charge: reopenCharge(accounts, amounts) }
}

/** Sets aside again what an earlier leader did, whatever is left: it is being spent. */
export const reopenCharge = (accounts: readonly BudgetAccount[], reserved: Amounts): Charge => {
  for (const account of accounts) account.reserved = add(account.reserved, reserved)
  return { accounts, reserved, isOpen: true }
}

/** Gives back what is set aside, once: false when that was done. */
export const closeCharge = (charge: Charge): boolean => {
  if (!charge.isOpen) return false
  charge.isOpen = false
  for (const account of charge.accounts) {
    account.reserved = subtract(account.reserved, charge.reserved)
  }
  return true
}

/** Left of the tightest account of each kind; undefined where nothing is limited. */
export const remainingOf = (accounts: readonly BudgetAccount[]): Budget | undefined => {
  const remaining: { -readonly [Kind in BudgetKind]?: number } = {}
  for (const account of accounts) {
    const left = leftOf(account)
    for (const kind of BUDGET_KINDS) {
      const amount = left[kind]
      if (amount !== undefined) remaining[kind] = Math.min(remaining[kind] ?? Infinity, amount)
    }
  }
  return isLimited(remaining) ? remaining : undefined
}
