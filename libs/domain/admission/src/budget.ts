/** The three amounts a budget limits: whole numbers of 0 or more. */
export interface Amounts {
  readonly tokens: number
  readonly timeMs: number
  /** Millionths of the unit prices are given in. */
  readonly costMicros: number
}

/** Limits, or what is left of them; an absent amount is not limited. */
export type Budget = Partial<Amounts>

/** Which amount. */
export type BudgetKind = keyof Amounts

/** Whose budget: of a key, of a client's session, or of one job that has no session. */
export type BudgetOwner = 'key' | 'session' | 'job'

/** Every kind, in the order they are told. */
export const BUDGET_KINDS: readonly BudgetKind[] = ['tokens', 'timeMs', 'costMicros']

/** No amount at all. */
export const NOTHING: Amounts = Object.freeze({ tokens: 0, timeMs: 0, costMicros: 0 })

/** The sum. */
export const add = (a: Amounts, b: Amounts): Amounts => ({
  tokens: a.tokens + b.tokens,
  timeMs: a.timeMs + b.timeMs,
  costMicros: a.costMicros + b.costMicros,
})

/** The difference; the caller knows that `b` is in `a`. */
export const subtract = (a: Amounts, b: Amounts): Amounts => ({
  tokens: a.tokens - b.tokens,
  timeMs: a.timeMs - b.timeMs,
  costMicros: a.costMicros - b.costMicros,
})

/** True when there is nothing to count. */
export const isNothing = ({ tokens, timeMs, costMicros }: Amounts): boolean =>
  tokens === 0 && timeMs === 0 && costMicros === 0

/** True when it limits anything. */
export const isLimited = (budget: Budget): boolean =>
  BUDGET_KINDS.some((kind) => budget[kind] !== undefined)

/** Of one job; what somebody measures beyond it is no measurement. */
const WHOLE_MAX = 2 ** 40

/** A measured number as an amount: whole, not negative, and 0 for what is no number. */
export const toWhole = (value: number): number =>
  value > 0 ? Math.min(WHOLE_MAX, Math.round(value)) : 0
