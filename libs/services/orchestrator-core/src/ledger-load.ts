import {
  createAccount,
  rebase,
  sessionKey,
  type ClientSession,
  type SessionTable,
} from '@berth/admission'
import type { GatewayId } from '@berth/kernel'
import type { Core } from './core-state.ts'
import { releaseHeld } from './held-asks.ts'
import { keyAccount, markDirty, nameOf } from './ledger.ts'
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

/**
 * Takes over what earlier leaders stored, under what this one has counted since: gateways said
 * their hellos while the entries were on their way.
 */
export const takeOverLedger = (core: Core, term: number, entries: readonly LedgerEntry[]): void => {
  const { ledger, role } = core
  if (role.kind !== 'leader' || role.term !== term || ledger.state !== 'loading') return
  const highest = entries.reduce((most, { value }) => Math.max(most, termOfEntry(value)), 0)
  if (highest > term) return core.effects.resign(highest)
  ledger.state = 'loaded'
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

/** Gateways that may hold leases of the leader before: until they come, or one TTL is over. */
export const awaitGateways = (core: Core, roster: Uint8Array): void => {
  for (const gatewayId of decodeRoster(roster)?.gateways ?? []) {
    if (!core.gateways.has(gatewayId as GatewayId)) core.ledger.awaited.add(gatewayId)
  }
}

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

const append = (table: SessionTable, sessions: SessionTable) => {
  for (const [key, session] of sessions) table.set(key, session)
}

/** `offsetMs` leads from the wall clock to the clock that does not jump. */
const bringBack = (stored: StoredSession, offsetMs: number): ClientSession => {
  const { tenant, sessionId, limit, warm, usedAtWallMs } = stored
  const account = createAccount(sessionKey(tenant, sessionId), 'session', limit)
  return { tenant, sessionId, account, usedAtMs: usedAtWallMs + offsetMs, open: 0, warm }
}
