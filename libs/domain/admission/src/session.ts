import type { InstanceId, PoolId } from '@berth/kernel'
import type { Budget } from './budget.ts'
import { createAccount, forget, type BudgetAccount } from './budget-account.ts'
import type { SessionTable } from './session-table.ts'

/** How sessions live. */
export interface SessionPolicy {
  /** Without use for this long a session is over. */
  readonly ttlMs: number
  /** Finished turns a session may have. */
  readonly turnsMax: number
  /** Beyond them the tenant with the most makes room. */
  readonly maxSessions: number
  /** Of a session whose first turn brings none. */
  readonly budget: Budget
}

/** Source: the API: ten minutes, eight turns. */
export const DEFAULT_SESSION_POLICY: SessionPolicy = {
  ttlMs: 600_000,
  turnsMax: 8,
  maxSessions: 10_000,
  budget: {},
}

/** What is known of a client's session: never what was said in it. */
export interface ClientSession {
  readonly tenant: string
  readonly sessionId: string
  /** Counts its turns too. */
  readonly account: BudgetAccount
  usedAtMs: number
  /** Jobs of it that wait or run. */
  open: number
  /** Where its last turn finished. */
  warm: { readonly poolId: PoolId; readonly instanceId: InstanceId | undefined } | undefined
}

/** The same id of two tenants names two sessions. */
export const sessionKey = (tenant: string, sessionId: string): string =>
  `${encodeURIComponent(tenant)}/${sessionId}`

/** The session if it lives. Finding it is no use of it. */
export const findSession = (
  table: SessionTable,
  key: string,
  { ttlMs }: SessionPolicy,
  nowMs: number,
): ClientSession | undefined => {
  const session = table.get(key)
  return session && !isOver(session, ttlMs, nowMs) ? session : undefined
}

/** Begins a session. `left` made room: it may be the new one, which is then not remembered. */
export const beginSession = (
  table: SessionTable,
  owner: { readonly tenant: string; readonly sessionId: string; readonly budget: Budget },
  policy: SessionPolicy,
  nowMs: number,
): { readonly session: ClientSession; readonly left?: string } => {
  const { tenant, sessionId, budget } = owner
  const key = sessionKey(tenant, sessionId)
  const known = table.get(key)
  const session: ClientSession = {
    ...{ tenant, sessionId, usedAtMs: nowMs, open: 0, warm: undefined },
    // Its releases were counted once; under the same id they must not count again.
    account: known?.account ?? createAccount(key, 'session', budget),
  }
  if (known) forget(known.account)
  session.account.limit = budget
  table.set(key, session)
  const oldest = table.size > policy.maxSessions ? table.leastUsed() : undefined
  if (oldest === undefined) return { session }
  table.delete(oldest)
  return { session, left: oldest }
}

/** Counts as used now: its time begins anew. */
export const useSession = (table: SessionTable, session: ClientSession, nowMs: number): void => {
  session.usedAtMs = nowMs
  const key = sessionKey(session.tenant, session.sessionId)
  // Set again means young again; one that has ended is not brought back.
  if (table.get(key) !== session) return
  table.set(key, session)
}

/** Takes out every session whose time is over and returns their keys. */
export const expireSessions = (
  table: SessionTable,
  { ttlMs }: SessionPolicy,
  nowMs: number,
): string[] => {
  const expired: string[] = []
  for (const [key, session] of table) {
    if (nowMs - session.usedAtMs < ttlMs) break
    if (isOver(session, ttlMs, nowMs)) expired.push(key)
  }
  for (const key of expired) table.delete(key)
  return expired
}

/** One that runs does not end by time. */
const isOver = ({ open, usedAtMs }: ClientSession, ttlMs: number, nowMs: number): boolean =>
  open === 0 && nowMs - usedAtMs >= ttlMs
