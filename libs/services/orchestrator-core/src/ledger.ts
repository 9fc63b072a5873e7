import {
  createAccount,
  createSessionTable,
  isLimited,
  roll,
  type Budget,
  type BudgetAccount,
  type Charge,
  type ClientSession,
  type Price,
  type RequestRate,
  type SessionTable,
} from '@berth/admission'
import type { GatewayId, JobId, LeaseId, ModelId } from '@berth/kernel'
import type { Core } from './core-state.ts'
import type { Ask } from './job-spec.ts'
import { accountKeyOf, ROSTER_KEY } from './ledger-entry.ts'
import type { Lease } from './lease-table.ts'
import type { LedgerBucket } from './ledger-port.ts'
import { createRecent, type Recent } from './recent.ts'

/** What jobs are charged by. */
export interface BudgetPolicy {
  /** Output tokens reserved for a job that does not say how many it may produce. */
  readonly reserveTokensMax: number
  /** By model; one without a price costs nothing. */
  readonly prices: ReadonlyMap<string, Price>
}

/** Without prices; the cap is that of a long answer. */
export const DEFAULT_BUDGET_POLICY: BudgetPolicy = { reserveTokensMax: 4_096, prices: new Map() }

/** What one key may spend. An absent limit is none. */
export interface KeyBudget {
  readonly requestsPerMinute?: number
  readonly tokensPerDay?: number
  readonly timeMsPerDay?: number
  readonly costMicrosPerDay?: number
}

/** What is set aside for a job, and whose it is. */
export interface JobCharge {
  readonly charge: Charge
  readonly session: ClientSession | undefined
}

/** The same while the job has a lease; it ends with the word of this gateway, or with its end. */
export interface LeaseCharge extends JobCharge {
  readonly lease: Pick<Lease, 'modelId' | 'poolId' | 'instanceId'>
  readonly gatewayId: GatewayId
}

/** A job that waits until it is known what its budgets have left. */
export interface HeldAsk {
  readonly ask: Ask
  readonly gatewayId: GatewayId
  readonly sinceMs: number
}

/** An entry of the ledger by where it is stored. */
export interface ItemName {
  readonly bucket: LedgerBucket
  readonly key: string
}

/** What is on its way into the store. */
export interface StoringRound {
  readonly items: readonly { readonly name: ItemName; readonly account?: BudgetAccount }[]
  readonly roster: ReadonlySet<string>
}

/** What is settled next: the releases counted at one moment, and what was not stored of it then. */
export interface Checkpoint {
  /** The last release of each gateway at that moment. */
  readonly reached: ReadonlyMap<GatewayId, number>
  /** Names of entries that have not been stored since. */
  readonly left: Set<string>
}

/** Budgets, sessions and everything set aside in them. */
export interface Ledger {
  readonly sessions: SessionTable
  /** By key id. */
  readonly keys: Map<string, BudgetAccount>
  readonly rates: Map<string, RequestRate>
  readonly byJob: Map<JobId, JobCharge>
  readonly byLease: Map<LeaseId, LeaseCharge>
  readonly held: Map<JobId, HeldAsk>
  /** Moving average of how long a model's requests take. */
  readonly timesMs: Recent<ModelId, number>
  /** Entries to be stored, by name, the one that has waited longest first. */
  readonly dirty: Map<string, ItemName>
  /** Of the entries that are stored, by name. */
  readonly revisions: Map<string, number>
  state: 'idle' | 'loading' | 'loaded'
  round: number
  storing: StoringRound | undefined
  /** Undefined while nothing is dirty. */
  checkpoint: Checkpoint | undefined
  /** The store did not answer: what is not stored waits until then. */
  isStoreDown: boolean
  retryAtMs: number
  /** When it is read once more; absent afterwards. */
  rereadAtMs: number | undefined
  /** Gateways of the leader before that may hold what is not declared yet. */
  readonly awaited: Set<string>
  /** Gateways a next leader would wait for, as stored. */
  roster: ReadonlySet<string>
}

/** A ledger of a core that does not lead. */
export const createLedger = (): Ledger => ({
  ...{ sessions: createSessionTable(), keys: new Map(), rates: new Map() },
  ...{ byJob: new Map(), byLease: new Map(), held: new Map() },
  timesMs: createRecent(4_096),
  ...{ dirty: new Map(), revisions: new Map(), state: 'idle', round: 0, storing: undefined },
  checkpoint: undefined,
  ...{
    isStoreDown: false,
    retryAtMs: 0,
    rereadAtMs: undefined,
    awaited: new Set(),
    roster: new Set(),
  },
})

/** Reads the ledger of the leader before; one that led until now under a lower term has it. */
export const openLedger = (core: Core, term: number): void => {
  if (core.ledger.state === 'loaded') return
  core.ledger.state = 'loading'
  core.effects.loadLedger(term)
}

/** Another leads: all of it is that one's. */
export const dropLedger = (core: Core): void => {
  const { round } = core.ledger
  core.ledger = createLedger()
  // What is still on its way is of no round to come.
  core.ledger.round = round
}

/** The name of an entry as one word. */
export const nameOf = ({ bucket, key }: ItemName): string => `${bucket}:${key}`

/** The entry has changed. */
export const markDirty = ({ ledger }: Core, item: ItemName): void => {
  ledger.dirty.set(nameOf(item), item)
}

/** The entry is gone. Where it was never stored, nor is on its way, there is nothing to take out. */
export const markGone = (core: Core, item: ItemName): void => {
  const { state, storing, revisions, dirty } = core.ledger
  const name = nameOf(item)
  if (state !== 'loaded' || storing || revisions.has(name)) markDirty(core, item)
  else {
    dirty.delete(name)
    core.ledger.checkpoint?.left.delete(name)
  }
}

/** Which version of an entry is stored now; 0: none, and nothing is remembered of it. */
export const noteRevision = ({ ledger }: Core, item: ItemName, revision: number): void => {
  if (revision === 0) ledger.revisions.delete(nameOf(item))
  else ledger.revisions.set(nameOf(item), revision)
}

/** The gateways that may hold something have changed. */
export const markRoster = (core: Core): void =>
  markDirty(core, { bucket: 'budgets', key: ROSTER_KEY })

/** The account of a key in today's window; undefined for a key without limits. */
export const keyAccount = (core: Core, keyId: string): BudgetAccount | undefined => {
  if (keyId === '') return undefined
  const limit = dayLimit(core.budgetOfKey?.(keyId))
  if (!isLimited(limit)) return undefined
  const wallMs = core.clock.wall()
  const endMs = dayEndMs(wallMs)
  const known = core.ledger.keys.get(keyId)
  const account = known ?? createAccount(accountKeyOf(keyId), 'key', limit, endMs)
  if (!known) core.ledger.keys.set(keyId, account)
  account.limit = limit
  if (roll(account, wallMs, endMs)) markDirty(core, { bucket: 'budgets', key: account.accountId })
  return account
}

const DAY_MS = 86_400_000

/** The next midnight of UTC. */
const dayEndMs = (wallMs: number): number => (Math.floor(wallMs / DAY_MS) + 1) * DAY_MS

const dayLimit = (budget: KeyBudget = {}): Budget => ({
  ...(budget.tokensPerDay === undefined ? {} : { tokens: budget.tokensPerDay }),
  ...(budget.timeMsPerDay === undefined ? {} : { timeMs: budget.timeMsPerDay }),
  ...(budget.costMicrosPerDay === undefined ? {} : { costMicros: budget.costMicrosPerDay }),
})
