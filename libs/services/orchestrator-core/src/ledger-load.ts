import {
  createAccount,
  rebase,
  sessionKey,
  type ClientSession,
  type SessionTable,
} from '@berth/admission'
import type { Core } from './core-state.ts'
import { releaseHeld } from './held-asks.ts'
import { keyAccount, markDirty, nameOf } from './ledger.ts'
import { adoptFound, awaitGateways } from './ledger-adopt.ts'
import {
  accountKeyOf,
  decodeAccount,
  decodeRoster,
  decodeSession,
  keyIdOf,
  ROSTER_KEY,
  termOfEntry,
  type StoredSession,
} from './ledger-entry.ts'
import type { LedgerEntry } from './ledger-port.ts'

/** Longer than a write of a leader that was replaced is on its way. */
const LATE_WRITES_MS = 5_000

/**
 * Takes over what earlier leaders stored, under what this one has counted since: gateways said
 * their hellos while the entries were on their way.
 */
export const takeOverLedger = (core: Core, term: number, entries: readonly LedgerEntry[]): void => {
  const { ledger, role } = core
  if (role.kind !== 'leader' || role.term !== term || ledger.state === 'idle') return
  const highest = entries.reduce((most, { value }) => Math.max(most, termOfEntry(value)), 0)
  if (highest > term) return core.effects.resign(highest)
  if (ledger.state === 'loaded') return adoptLate(core, entries)
  ledger.state = 'loaded'
  ledger.rereadAtMs = core.clock.now() + LATE_WRITES_MS
  const sessions: { readonly entry: LedgerEntry; readonly stored: StoredSession }[] = []
  for (const entry of entries) {
    ledger.revisions.set(nameOf(entry), entry.revision)
    if (entry.bucket === 'budgets') takeBudget(core, entry)
    else {
      const stored = decodeSession(entry.value)
      if (stored) sessions.push({ entry, stored })
      else markDirty(core, entry)
    }
  }
  // The table is in the order of use.
  sessions.sort((a, b) => a.stored.usedAtWallMs - b.stored.usedAtWallMs)
  takeSessions(core, sessions)
  releaseHeld(core)
}

/**
 * Reads once more what is stored: a write of the leader before may have landed after this one had
 * read, where nothing is written again that would find it.
 */
export const rereadLedger = (core: Core): void => {
  const { ledger, role, clock } = core
  if (role.kind !== 'leader' || ledger.state !== 'loaded') return
  if (ledger.rereadAtMs === undefined || clock.now() < ledger.rereadAtMs) return
  ledger.rereadAtMs = undefined
  core.effects.loadLedger(role.term)
}

/** Accounts that somebody else has written since. Those that are stored again find it themselves. */
const adoptLate = (core: Core, entries: readonly LedgerEntry[]) => {
  const { ledger } = core
  for (const entry of entries) {
    const name = nameOf(entry)
    if ((ledger.revisions.get(name) ?? 0) >= entry.revision || isBeingStored(core, name)) continue
    adoptFound(core, entry, entry)
  }
}

const isBeingStored = ({ ledger }: Core, name: string): boolean =>
  ledger.dirty.has(name) ||
  (ledger.storing?.items.some((item) => nameOf(item.name) === name) ?? false)

const takeBudget = (core: Core, entry: LedgerEntry) => {
  if (entry.key === ROSTER_KEY) {
    core.ledger.roster = new Set(decodeRoster(entry.value)?.gateways)
    return awaitGateways(core, entry.value)
  }
  const keyId = keyIdOf(entry.key)
  const stored = decodeAccount(entry.value)
  if (keyId === undefined || !stored) return
  const { windowEndMs } = stored.tally
  // One without limits today keeps what it has spent: they may come back before midnight.
  const account =
    keyAccount(core, keyId) ?? createAccount(accountKeyOf(keyId), 'key', {}, windowEndMs)
  core.ledger.keys.set(keyId, account)
  rebase(account, stored.tally)
  if (account.unstored.length > 0) markDirty(core, entry)
}

const takeSessions = (
  core: Core,
  found: readonly { readonly entry: LedgerEntry; readonly stored: StoredSession }[],
) => {
  const { ledger, clock } = core
  // Those that were used since stand behind those that were not.
  const young = new Map(ledger.sessions)
  ledger.sessions.clear()
  for (const { entry, stored } of found) {
    const { tenant, sessionId, tally } = stored
    const key = sessionKey(tenant, sessionId)
    const session = young.get(key) ?? bringBack(stored, clock.now() - clock.wall())
    if (young.has(key)) markDirty(core, entry)
    session.account.limit = stored.limit
    session.warm ??= stored.warm
    rebase(session.account, tally)
    if (!young.has(key)) ledger.sessions.set(key, session)
  }
  append(ledger.sessions, young)
}

const append = (table: SessionTable, sessions: ReadonlyMap<string, ClientSession>) => {
  for (const [key, session] of sessions) table.set(key, session)
}

/** `offsetMs` leads from the wall clock to the clock that does not jump. */
const bringBack = (stored: StoredSession, offsetMs: number): ClientSession => {
  const { tenant, sessionId, limit, warm, usedAtWallMs } = stored
  const account = createAccount(sessionKey(tenant, sessionId), 'session', limit)
  return { tenant, sessionId, account, usedAtMs: usedAtWallMs + offsetMs, open: 0, warm }
}
