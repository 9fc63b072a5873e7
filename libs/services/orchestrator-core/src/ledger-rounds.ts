import { beginStoring, endStoring, type BudgetAccount } from '@berth/admission'
import type { GatewayId } from '@berth/kernel'
import type { Core } from './core-state.ts'
import { releaseHeld } from './held-asks.ts'
import { adoptFound, isRoster } from './ledger-adopt.ts'
import {
  markDirty,
  markRoster,
  nameOf,
  noteRevision,
  type Checkpoint,
  type ItemName,
  type StoringRound,
} from './ledger.ts'
import { encodeAccount, encodeRoster, encodeSession, keyIdOf } from './ledger-entry.ts'
import type { LedgerOutcome, LedgerWrite } from './ledger-port.ts'

/** Entries of one round; the others wait for the next. */
const ROUND_MAX = 4_096
/** Between tries while the store does not answer. */
const RETRY_MS = 1_000

/**
 * Stores what has changed, in rounds, one at a time, what has waited longest first. Once all is
 * stored that was dirty at one moment, the releases are settled that were counted by then: also
 * where there is always more than a round takes.
 */
export const storeLedger = (core: Core): void => {
  const { ledger, role, clock } = core
  if (role.kind !== 'leader' || ledger.storing) return
  if (isRosterOld(core)) markRoster(core)
  if (ledger.dirty.size === 0) {
    ledger.checkpoint = undefined
    return tellSettled(core, reachedNow(core))
  }
  if (ledger.state !== 'loaded' || clock.now() < ledger.retryAtMs) return
  const names = [...ledger.dirty.values()].slice(0, ROUND_MAX)
  const items: StoringRound['items'][number][] = []
  const writes: LedgerWrite[] = []
  const checkpoint = checkpointOf(core, names.length === ledger.dirty.size)
  for (const name of names) {
    ledger.dirty.delete(nameOf(name))
    const { value, account } = encodeItem(core, name, role.term)
    const revision = ledger.revisions.get(nameOf(name)) ?? 0
    // Ended before it was ever stored.
    if (value === undefined && revision === 0) {
      checkpoint.left.delete(nameOf(name))
      continue
    }
    items.push({ name, ...(account ? { account } : {}) })
    writes.push({ ...name, value, revision })
  }
  ledger.storing = { items, roster: rosterNow(core) }
  ledger.round += 1
  core.effects.saveLedger(ledger.round, writes)
}

/** What became of each write of a round, in their order. */
export const endRound = (core: Core, round: number, outcomes: readonly LedgerOutcome[]): void => {
  const { ledger } = core
  const { storing } = ledger
  if (!storing || ledger.round !== round || core.role.kind !== 'leader') return
  ledger.storing = undefined
  storing.items.forEach(({ name, account }, index) => {
    const outcome = outcomes[index] ?? { kind: 'unavailable' }
    if (account) endStoring(account, outcome.kind === 'stored')
    if (outcome.kind === 'stored') {
      noteRevision(core, name, outcome.revision)
      ledger.checkpoint?.left.delete(nameOf(name))
      if (isRoster(name)) ledger.roster = storing.roster
    } else {
      markDirty(core, name)
      if (outcome.kind === 'conflict') adoptFound(core, name, outcome.found)
    }
  })
  const isDown = outcomes.some(({ kind }) => kind === 'unavailable')
  ledger.isStoreDown = isDown
  ledger.retryAtMs = isDown ? core.clock.now() + RETRY_MS : 0
  // One of the conflicts may have shown a higher term.
  if (!stillLeads(core)) return
  passCheckpoint(core)
  releaseHeld(core)
}

/** The one that is not passed yet. A round that holds everything brings it up to now. */
const checkpointOf = (core: Core, isWhole: boolean): Checkpoint => {
  const { ledger } = core
  if (isWhole || !ledger.checkpoint) {
    ledger.checkpoint = { reached: reachedNow(core), left: new Set(ledger.dirty.keys()) }
  }
  return ledger.checkpoint
}

const passCheckpoint = (core: Core) => {
  const { checkpoint } = core.ledger
  if (!checkpoint || checkpoint.left.size > 0) return
  core.ledger.checkpoint = undefined
  tellSettled(core, checkpoint.reached)
}

/** A gateway came or went: whoever leads next must know whom to wait for. */
const isRosterOld = (core: Core): boolean => {
  const wanted = rosterNow(core)
  const { roster } = core.ledger
  return wanted.size !== roster.size || [...wanted].some((gatewayId) => !roster.has(gatewayId))
}

const rosterNow = ({ gateways, ledger }: Core): ReadonlySet<string> =>
  new Set<string>([...gateways.keys(), ...ledger.awaited])

const encodeItem = (
  core: Core,
  { bucket, key }: ItemName,
  term: number,
): { readonly value: Uint8Array | undefined; readonly account?: BudgetAccount } => {
  const { ledger, clock } = core
  if (isRoster({ bucket, key })) return { value: encodeRoster(term, rosterNow(core)) }
  if (bucket === 'budgets') {
    const account = ledger.keys.get(keyIdOf(key) ?? '')
    return account
      ? { value: encodeAccount(term, beginStoring(account)), account }
      : { value: undefined }
  }
  const session = ledger.sessions.get(key)
  if (!session) return { value: undefined }
  const { account, usedAtMs } = session
  const usedAtWallMs = Math.round(clock.wall() - (clock.now() - usedAtMs))
  return { value: encodeSession(term, session, beginStoring(account), usedAtWallMs), account }
}

const stillLeads = (core: Core): boolean => core.role.kind === 'leader'

const reachedNow = ({ gateways }: Core): Map<GatewayId, number> =>
  new Map([...gateways.values()].map(({ gatewayId, sequence }) => [gatewayId, sequence]))

const tellSettled = (core: Core, reached: ReadonlyMap<GatewayId, number>) => {
  for (const [gatewayId, sequence] of reached) {
    const gateway = core.gateways.get(gatewayId)
    if (!gateway || gateway.key === undefined || sequence <= gateway.settledTo) continue
    gateway.settledTo = sequence
    core.effects.send(gateway.key, { kind: 'settled', sequence })
  }
}
