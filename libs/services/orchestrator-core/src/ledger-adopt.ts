import { rebase } from '@berth/admission'
import type { GatewayId } from '@berth/kernel'
import type { Core } from './core-state.ts'
import { noteRevision, type ItemName } from './ledger.ts'
import {
  decodeAccount,
  decodeRoster,
  decodeSession,
  keyIdOf,
  ROSTER_KEY,
  termOfEntry,
} from './ledger-entry.ts'
import type { LedgerEntry } from './ledger-port.ts'

/** Somebody wrote in between: an older leader, late, or one that we must make way for. */
export const adoptFound = (core: Core, name: ItemName, found: LedgerEntry | undefined): void => {
  const { role } = core
  noteRevision(core, name, found?.revision ?? 0)
  if (!found || role.kind !== 'leader') return
  const term = termOfEntry(found.value)
  if (term > role.term) return core.effects.resign(term)
  if (isRoster(name)) return awaitGateways(core, found.value)
  const { account } = accountOf(core, name)
  const stored =
    name.bucket === 'sessions' ? decodeSession(found.value) : decodeAccount(found.value)
  if (account && stored) rebase(account, stored.tally)
}

/** Gateways that may hold leases of the leader before: until they come, or one TTL is over. */
export const awaitGateways = (core: Core, roster: Uint8Array): void => {
  for (const gatewayId of decodeRoster(roster)?.gateways ?? []) {
    if (!core.gateways.has(gatewayId as GatewayId)) core.ledger.awaited.add(gatewayId)
  }
}

/** The entry that says who must be waited for. */
export const isRoster = ({ bucket, key }: ItemName): boolean =>
  bucket === 'budgets' && key === ROSTER_KEY

const accountOf = ({ ledger }: Core, { bucket, key }: ItemName) =>
  bucket === 'sessions'
    ? { account: ledger.sessions.get(key)?.account }
    : { account: ledger.keys.get(keyIdOf(key) ?? '') }
