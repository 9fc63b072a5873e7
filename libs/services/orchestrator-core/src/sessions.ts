import {
  beginSession,
  expireSessions,
  findSession,
  isLimited,
  leftOf,
  sessionKey,
  useSession,
  type Budget,
  type ClientSession,
} from '@berth/admission'
import type { InstanceId, PoolId } from '@berth/kernel'
import type { Core } from './core-state.ts'
import type { JobSpec } from './job-spec.ts'
import { markDirty, markGone } from './ledger.ts'
import { refuseTurns } from './refuse-budget.ts'
import type { Refusal } from './refusal.ts'

/** The same id of two tenants names two sessions. */
export type SessionName = Pick<JobSpec, 'tenant' | 'sessionId'>

/** What came of asking for a turn. */
export type Joined =
  /** `undo`: the job does not run after all, and a session it began has not begun. */
  | { readonly kind: 'joined'; readonly session: ClientSession | undefined; undo(): void }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/**
 * A turn in the session a job names, which the first of them begins. A session that has had all its
 * turns ends with the refusal of one more, and its warmth with it.
 */
export const joinSession = (core: Core, spec: JobSpec): Joined => {
  if (spec.sessionId === '') return { kind: 'joined', session: undefined, undo: () => undefined }
  const { turnsMax } = core.policy.session
  const known = find(core, spec)
  if (!known) {
    const session = begin(core, spec, spec.budget)
    return { kind: 'joined', session, undo: () => endSession(core, spec) }
  }
  const { turns } = known.account
  const hasEnded = turns >= turnsMax
  if (hasEnded) endSession(core, spec)
  if (turns + known.open >= turnsMax) {
    return { kind: 'refused', refusal: refuseTurns(spec.sessionId, turnsMax, hasEnded) }
  }
  noteUse(core, known)
  return { kind: 'joined', session: known, undo: () => undefined }
}

/** The session of a lease of an earlier leader; nobody here may have heard of it. */
export const resumeSession = (
  core: Core,
  lease: SessionName & { readonly budget: Budget },
): ClientSession | undefined => {
  if (lease.sessionId === '') return undefined
  return core.ledger.sessions.get(keyOf(lease)) ?? begin(core, lease, lease.budget)
}

/** Remembers where a turn finished. */
export const finishTurn = (
  core: Core,
  session: ClientSession,
  warm: { readonly poolId: PoolId; readonly instanceId: InstanceId | undefined },
): void => {
  const { instanceId = core.view.pools.get(warm.poolId)?.snapshot.instanceId } = warm
  session.warm = { poolId: warm.poolId, instanceId }
  noteUse(core, session)
}

/** The session is used now. */
export const noteUse = (core: Core, session: ClientSession): void => {
  const key = keyOf(session)
  if (core.ledger.sessions.get(key) !== session) return
  useSession(core.ledger.sessions, session, core.clock.now())
  markDirty(core, { bucket: 'sessions', key })
}

/** The pool whose KV cache may still know the session a job names: while that instance lives. */
export const warmPoolOf = (core: Core, name: SessionName): PoolId | undefined => {
  if (name.sessionId === '') return undefined
  const session = find(core, name)
  return session && livingWarmth(core, session)
}

/** Whether a session has limits, or may have: before the ledger is read nobody knows. */
export const isBudgetLimited = (core: Core, name: SessionName): boolean => {
  if (core.ledger.state !== 'loaded') return true
  return isLimited(find(core, name)?.account.limit ?? core.policy.session.budget)
}

/** Forgets a session. Not an error when there is none. */
export const endSession = (core: Core, name: SessionName): void => {
  const key = keyOf(name)
  if (core.ledger.sessions.delete(key)) markGone(core, { bucket: 'sessions', key })
}

/** Forgets the sessions whose time is over. */
export const dropSessions = (core: Core, nowMs: number): void => {
  for (const key of expireSessions(core.ledger.sessions, core.policy.session, nowMs)) {
    markGone(core, { bucket: 'sessions', key })
  }
}

/** What is kept of a session, for people. Times in milliseconds. */
export interface SessionReport {
  readonly sessionId: string
  readonly ttlMsRemaining: number
  readonly turns: number
  readonly turnsMax: number
  readonly kvWarmth: boolean
  /** Where it ran last; undefined when that pool is gone. */
  readonly poolId: PoolId | undefined
  readonly limit: Budget
  readonly remaining: Budget
}

/** Undefined when there is no such session. Asking is no use of it. */
export const describeSession = (core: Core, name: SessionName): SessionReport | undefined => {
  const session = find(core, name)
  if (!session) return undefined
  const { ttlMs, turnsMax } = core.policy.session
  const { account, usedAtMs, warm } = session
  const isThere = warm !== undefined && core.view.pools.has(warm.poolId)
  return {
    sessionId: session.sessionId,
    ttlMsRemaining: Math.max(0, Math.ceil(ttlMs - (core.clock.now() - usedAtMs))),
    ...{ turns: account.turns, turnsMax, kvWarmth: livingWarmth(core, session) !== undefined },
    poolId: isThere ? warm.poolId : undefined,
    ...{ limit: account.limit, remaining: leftOf(account) },
  }
}

const livingWarmth = ({ view }: Core, { warm }: ClientSession): PoolId | undefined => {
  const pool = warm && view.pools.get(warm.poolId)
  return pool && pool.snapshot.instanceId === warm.instanceId ? warm.poolId : undefined
}

const find = ({ ledger, policy, clock }: Core, name: SessionName): ClientSession | undefined =>
  findSession(ledger.sessions, keyOf(name), policy.session, clock.now())

const begin = (core: Core, { tenant, sessionId }: SessionName, asked: Budget): ClientSession => {
  const { ledger, policy, clock } = core
  const budget = isLimited(asked) ? asked : policy.session.budget
  const owner = { tenant, sessionId, budget }
  const { session, left } = beginSession(ledger.sessions, owner, policy.session, clock.now())
  markDirty(core, { bucket: 'sessions', key: keyOf(session) })
  if (left !== undefined) markGone(core, { bucket: 'sessions', key: left })
  return session
}

const keyOf = ({ tenant, sessionId }: SessionName): string => sessionKey(tenant, sessionId)
