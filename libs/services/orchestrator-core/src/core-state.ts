import {
  createAdmissionQueue,
  type AdmissionPolicy,
  type AdmissionQueue,
  type SessionPolicy,
} from '@berth/admission'
import type { HostSnapshot as PublishedHost } from '@berth/contract'
import { createFleetView, type FleetView } from '@berth/fleet'
import type { Clock, GatewayId, HostId, ModelId, PoolId, Rng } from '@berth/kernel'
import type { PlacementPolicy } from '@berth/placement'
import { createDecisionLog, type DecisionLog } from './decision-log.ts'
import type { Effects, SessionKey } from './effects.ts'
import type { Ask } from './job-spec.ts'
import { createLedger, type BudgetPolicy, type KeyBudget, type Ledger } from './ledger.ts'
import { createLeaseTable, type LeaseTable } from './lease-table.ts'
import { createRecent, type Recent } from './recent.ts'

/** Who leads, as far as this core knows. */
export type Role =
  | { readonly kind: 'leader'; readonly term: number; readonly sinceMs: number }
  | { readonly kind: 'standby'; readonly term: number; readonly address: string }

/** A gateway that has a session, or had one and still holds leases. */
export interface Gateway {
  readonly gatewayId: GatewayId
  session: number
  /** When its last session began. */
  openedAtMs: number
  /** The last of its releases that is counted, and the last it was told to be stored. */
  sequence: number
  settledTo: number
  /** Its live stream. */
  key: SessionKey | undefined
  /** Jobs of it that wait. */
  waiting: number
}

/** What the queue carries for each job. */
export interface Waiting {
  readonly ask: Ask
  readonly gatewayId: GatewayId
  readonly exclusionsEndMs: number
  /**
   * When it came no host that was heard itself knew its model, and the leader was too new to call
   * it unknown.
   */
  readonly isModelInDoubt: boolean
  /** What the gateway was told last. */
  toldPosition: number
  /** Why it waits, as it was told last. */
  toldReason: string
  /** The pass in which placement was asked last, and could not place it; -1: never. */
  lookedAtPass: number
  /** Since when it declines free slots for a faster pool; undefined while it never did. */
  declinesSinceMs: number | undefined
  /** See `demandKey`; made when it is first asked for. */
  demandKey: string | undefined
}

/** The settings of the coordinator, in milliseconds where not said otherwise. */
export interface CorePolicy {
  readonly placement: PlacementPolicy
  readonly admission: AdmissionPolicy
  readonly session: SessionPolicy
  readonly budgets: BudgetPolicy
  /** A lease no session renews lives this long. */
  readonly leaseTtlMs: number
  /** From minting to the ingress; generous, for clocks of two machines are compared. */
  readonly tokenTtlMs: number
  readonly maxWaitMs: { readonly interactive: number; readonly batch: number }
  /** After this long a pool that refused a job may be tried again, were it the only one. */
  readonly exclusionMs: number
  /** A new leader waits this long for snapshots before it calls a model unknown. */
  readonly settleMs: number
  /** Jobs of one gateway that may wait. */
  readonly maxOutstanding: number
}

/** All that the coordinator owns. Only its own files touch it. */
export interface Core {
  readonly coreId: string
  readonly clock: Clock
  readonly rng: Rng
  /** Replaced as a whole when the settings change; what it says counts from the next event. */
  policy: CorePolicy
  readonly effects: Effects
  readonly view: FleetView
  readonly queue: AdmissionQueue<Waiting>
  readonly leases: LeaseTable
  readonly gateways: Map<GatewayId, Gateway>
  readonly sessions: Map<SessionKey, Gateway>
  /** Snapshots as they came, for people; one for each host of the view. */
  readonly published: Map<HostId, PublishedHost>
  /** When a model of the fleet was first heard of, Unix milliseconds. */
  readonly firstSeen: Map<ModelId, number>
  /** Hosts whose snapshot this leadership has looked at for leases of the one before. */
  readonly met: Set<HostId>
  /** What was decided of late, for people. */
  readonly decisions: DecisionLog
  /** Moving average of produced tokens, by model. */
  readonly expectedTokens: Recent<ModelId, number>
  /** What may be spent of each key, as the key file says now. */
  readonly budgetOfKey?: (keyId: string) => KeyBudget | undefined
  ledger: Ledger
  /** When a pool was last asked to start for a job; only of pools there are. */
  readonly woken: Map<PoolId, number>
  /** Passes of the dispatcher over the jobs of a model. */
  passes: number
  role: Role
}

export interface CoreOptions {
  readonly coreId: string
  readonly clock: Clock
  readonly rng: Rng
  readonly policy: CorePolicy
  readonly effects: Effects
  /** Absent where there are no keys. */
  readonly budgetOfKey?: (keyId: string) => KeyBudget | undefined
}

/** The state of a core that has heard nothing yet: a standby. */
export const createCore = (options: CoreOptions): Core => ({
  ...options,
  view: createFleetView(),
  queue: createAdmissionQueue(options.policy.admission),
  leases: createLeaseTable(),
  gateways: new Map(),
  sessions: new Map(),
  published: new Map(),
  firstSeen: new Map(),
  met: new Set(),
  decisions: createDecisionLog(),
  expectedTokens: createRecent(4_096),
  ledger: createLedger(),
  woken: new Map(),
  passes: 0,
  role: { kind: 'standby', term: 0, address: '' },
})
