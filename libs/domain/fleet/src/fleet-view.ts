import type { HostId, ModelId, PoolId } from '@berth/kernel'
import type { DeviceKind, HostSnapshot } from './host-snapshot.ts'
import type { KvSlope } from './kv-bytes.ts'
import type { PoolEvidence } from './pool-evidence.ts'
import type { ModelResidency, PoolSnapshot, Residency } from './pool-snapshot.ts'
import type { SpeedClass } from './speed-class.ts'
import { createSpeedRows, type SpeedRows } from './speed-rows.ts'
import { createPrefixIndex, type PrefixIndex } from './prefix-index.ts'

/** A host as folded from its snapshots. Read it freely; only this lib's functions change it. */
export interface HostView {
  readonly hostId: HostId
  snapshot: HostSnapshot
  /** When the host last proved that `snapshot` is current, on the caller's monotonic clock. */
  heardAtMs: number
  /** While set, its age is counted to this moment: the bus is down and it did not fail a probe. */
  frozenAtMs: number | undefined
  /**
   * The host itself was heard since it joined the view. A snapshot that was stored somewhere shows
   * what a host was like; it does not show that there still is one.
   */
  isProven: boolean
  /** The agent of this epoch accepts the leader's lease tokens. */
  isKeyed: boolean
  /** Pools of this host that are part of the view: those not claimed by another host first. */
  readonly pools: Map<PoolId, PoolView>
}

/**
 * A pool of the view, with what only core knows of it. What a decision reads of every pool stands
 * here itself, as numbers: a decision over a thousand pools must not follow pointers.
 */
export interface PoolView {
  readonly poolId: PoolId
  readonly host: HostView
  snapshot: PoolSnapshot
  /** By model id, of this snapshot. */
  residencies: ReadonlyMap<ModelId, ModelResidency>
  /** Its residency of the one model it lists; absent with several, which `residencies` tells. */
  onlyResidency: Residency | undefined
  /** Live, ready, neither failed nor draining, on a host that is not about to stop. */
  isOpen: boolean
  /** Its routes, as `routeBit` numbers them. */
  routeMask: number
  slotsTotal: number
  /** Tokens of context one slot has; 0 when not known. */
  contextLength: number
  /** Measured; 0 when nothing was. */
  msPerToken: number
  /** Measured; 0 when nothing was. */
  firstTokenMs: number
  /** The first device of the mask. */
  deviceKind: DeviceKind
  /**
   * Memory a model split as the pool splits it may take: of devices of several sizes no more than
   * the one with the least for its share allows. 0 when not known.
   */
  vramTotalBytes: number
  /** The same of what is free: what the host measured; all of it where it cannot tell. */
  vramFreeBytes: number
  /** Free for caches of jobs: reserved by the engine, else video memory. Infinity: not known. */
  kvFreeBytes: number
  /** The same with no job running. Infinity: not known. */
  kvTotalBytes: number
  /** Cache bytes per token of the one model it lists; absent with several, see `kvSlopes`. */
  onlyKvSlope: KvSlope | undefined
  /** By model id, of a pool that lists several; models of unknown dimensions are absent. */
  kvSlopes: ReadonlyMap<ModelId, KvSlope>
  /** Slots core has granted and not seen released. */
  reserved: number
  /** Small, its own while it is in the view, and used again after: a place in arrays by pool. */
  readonly number: number
  /** Another one with every instance: what was learnt of an engine's moment ends with it. */
  life: number
  readonly evidence: PoolEvidence
}

/** Numbers of pools that are free again, those ever taken, and the lives ever begun. */
export interface PoolNumbers {
  readonly free: number[]
  taken: number
  lives: number
}

/**
 * The fleet as core believes it to be: derived, never the truth, rebuilt from snapshots alone.
 * One owner changes it, in place and only through the functions of this lib, so that deciding on
 * it copies nothing.
 */
export interface FleetView {
  readonly hosts: Map<HostId, HostView>
  readonly pools: Map<PoolId, PoolView>
  /** Every pool that lists the model, whatever its residency there. */
  readonly poolsOfModel: Map<ModelId, PoolView[]>
  /** Later claimants of a pool id that another host had first. */
  readonly conflicts: Map<PoolId, Set<HostId>>
  /** Reserved slots by pool id. They outlive a pool's absence; their owner releases them. */
  readonly reservations: Map<PoolId, number>
  /** Since when the bus is down, so that silence on it proves nothing. */
  frozenAtMs: number | undefined
  /** A bit for each route that some pool supports or did. */
  readonly routeBits: Map<string, number>
  /** Which pools hold the beginning of which prompt. */
  readonly prefixes: PrefixIndex
  readonly numbers: PoolNumbers
  /** Kinds of pools, by what makes them one. */
  readonly speedClasses: Map<string, SpeedClass>
  /** By pool number: what scores read. */
  readonly speedRows: SpeedRows
}

/** A view of no hosts. */
export const createFleetView = (): FleetView => ({
  hosts: new Map(),
  pools: new Map(),
  poolsOfModel: new Map(),
  conflicts: new Map(),
  reservations: new Map(),
  frozenAtMs: undefined,
  routeBits: new Map(),
  prefixes: createPrefixIndex(),
  numbers: { free: [], taken: 0, lives: 0 },
  speedClasses: new Map(),
  speedRows: createSpeedRows(),
})
