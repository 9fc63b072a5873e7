import type { Amounts, Budget, BudgetAccount, ClientSession, Tally } from '@berth/admission'
import type { InstanceId, PoolId } from '@berth/kernel'
import { z } from 'zod'

/** Under this key of the budgets stand the gateways that may hold what is not stored yet. */
export const ROSTER_KEY = 'gateways'

/** The budget of a key stands under this. */
export const accountKeyOf = (keyId: string): string => `key.${keyId}`

/** The key id of a budget entry; undefined for one that is none. */
export const keyIdOf = (key: string): string | undefined =>
  key.startsWith('key.') ? key.slice('key.'.length) : undefined

const count = z.number().int().min(0)
const amounts = z.object({ tokens: count, timeMs: count, costMicros: count })
const account = z.object({
  /** Of the leader that wrote it. */
  term: count,
  spent: amounts,
  turns: count,
  windowEndMs: z.number().optional(),
  /** The last release of each gateway that is in `spent`. */
  reached: z.record(z.string(), count),
})
const session = account.extend({
  tenant: z.string(),
  sessionId: z.string(),
  limit: amounts.partial(),
  /** Unix milliseconds. */
  usedAtMs: z.number(),
  warm: z.object({ poolId: z.string(), instanceId: z.string().optional() }).optional(),
})
const roster = z.object({ term: count, gateways: z.array(z.string()) })

/** What an entry says of an account. */
export interface StoredAccount {
  readonly term: number
  readonly tally: Tally
}

/** What an entry says of a session. */
export interface StoredSession extends StoredAccount {
  readonly tenant: string
  readonly sessionId: string
  readonly limit: Budget
  readonly usedAtWallMs: number
  readonly warm: ClientSession['warm']
}

/** The value of the budget of a key. */
export const encodeAccount = (term: number, tally: Tally): Uint8Array =>
  encode({ term, ...plain(tally) })

/** The value of a session; `usedAtWallMs` in Unix milliseconds. */
export const encodeSession = (
  term: number,
  { tenant, sessionId, warm, account: { limit } }: ClientSession,
  tally: Tally,
  usedAtWallMs: number,
): Uint8Array =>
  encode({ term, tenant, sessionId, limit, usedAtMs: usedAtWallMs, warm, ...plain(tally) })

/** The value of the roster. */
export const encodeRoster = (term: number, gateways: Iterable<string>): Uint8Array =>
  encode({ term, gateways: [...gateways] })

/** Undefined for what no leader of ours wrote. */
export const decodeAccount = (value: Uint8Array): StoredAccount | undefined => {
  const stored = account.safeParse(decode(value)).data
  return stored && { term: stored.term, tally: tallyOf(stored) }
}

/** Undefined for what no leader of ours wrote. */
export const decodeSession = (value: Uint8Array): StoredSession | undefined => {
  const stored = session.safeParse(decode(value)).data
  if (!stored) return undefined
  const { term, tenant, sessionId, usedAtMs, warm } = stored
  return {
    ...{ term, tenant, sessionId, usedAtWallMs: usedAtMs, tally: tallyOf(stored) },
    limit: limitOf(stored.limit),
    warm: warm && {
      poolId: warm.poolId as PoolId,
      instanceId: warm.instanceId as InstanceId | undefined,
    },
  }
}

/** Undefined for what no leader of ours wrote. */
export const decodeRoster = (value: Uint8Array) => roster.safeParse(decode(value)).data

/** The highest term an entry of any kind names; 0 when it names none. */
export const termOfEntry = (value: Uint8Array): number =>
  z.object({ term: count }).safeParse(decode(value)).data?.term ?? 0

const plain = ({ spent, turns, windowEndMs, reached }: Tally) => ({
  ...{ spent, turns, windowEndMs },
  reached: Object.fromEntries(reached),
})

const tallyOf = (stored: {
  readonly spent: Amounts
  readonly turns: number
  readonly windowEndMs?: BudgetAccount['windowEndMs']
  readonly reached: Readonly<Record<string, number>>
}): Tally => ({
  ...{ spent: stored.spent, turns: stored.turns, windowEndMs: stored.windowEndMs },
  reached: new Map(Object.entries(stored.reached)),
})

const limitOf = ({ tokens, timeMs, costMicros }: z.infer<typeof session>['limit']): Budget => ({
  ...(tokens === undefined ? {} : { tokens }),
  ...(timeMs === undefined ? {} : { timeMs }),
  ...(costMicros === undefined ? {} : { costMicros }),
})

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

const decode = (value: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(value))
  } catch {
    // No leader of ours wrote this; the schemas refuse it like any other stranger.
    return undefined
  }
}
