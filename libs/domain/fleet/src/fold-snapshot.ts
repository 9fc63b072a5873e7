import { claimPools, type VoidedPool } from './claim-pools.ts'
import type { FleetView, HostView } from './fleet-view.ts'
import type { HostHeartbeat, HostSnapshot } from './host-snapshot.ts'

/** What a snapshot did to the view. */
export type FoldResult =
  | {
      readonly kind: 'applied'
      readonly isNewEpoch: boolean
      /** Pools whose leases are void. With a new epoch: every pool the host had. */
      readonly voided: readonly VoidedPool[]
    }
  /** The pair the view has already: the host proved that it is alive. */
  | { readonly kind: 'repeated' }
  /** A lower pair than the last one. */
  | { readonly kind: 'dropped' }

/** How a snapshot came: from its host, or out of a store that the host may have outlived or not. */
export type SnapshotOrigin = 'live' | 'stored'

/**
 * Replaces what the view knows of a host. A lower `(epoch, revision)` than the last is dropped; a
 * higher epoch is a new agent life, so that nothing granted under the old one holds. `now` is the
 * caller's monotonic clock in milliseconds. A stored snapshot is no sign of life.
 */
export const foldSnapshot = (
  view: FleetView,
  snapshot: HostSnapshot,
  now: number,
  origin: SnapshotOrigin = 'live',
): FoldResult => {
  const host = view.hosts.get(snapshot.hostId)
  if (!host) {
    const added = addHost(view, snapshot, now)
    added.isProven = origin === 'live'
    return { kind: 'applied', isNewEpoch: true, voided: claimPools(view, added) }
  }
  const last = host.snapshot
  const order = snapshot.epoch - last.epoch || snapshot.revision - last.revision
  if (order < 0) return { kind: 'dropped' }
  if (origin === 'live') hearHost(view, host, now)
  if (order === 0) return { kind: 'repeated' }

  const isNewEpoch = snapshot.epoch > last.epoch
  const had = isNewEpoch ? [...host.pools.keys()] : []
  host.snapshot = snapshot
  if (isNewEpoch) host.isKeyed = false
  const voided = claimPools(view, host)
  if (!isNewEpoch) return { kind: 'applied', isNewEpoch, voided }
  return { kind: 'applied', isNewEpoch, voided: had.map((poolId) => ({ poolId, cause: 'epoch' })) }
}

/**
 * Refreshes the age of a host's snapshot. A heartbeat of another `(epoch, revision)` changes
 * nothing: it speaks of a snapshot the view does not have. Returns whether it counted.
 */
export const foldHeartbeat = (view: FleetView, heartbeat: HostHeartbeat, now: number): boolean => {
  const host = view.hosts.get(heartbeat.hostId)
  if (!host) return false
  const { epoch, revision } = host.snapshot
  if (heartbeat.epoch !== epoch || heartbeat.revision !== revision) return false
  hearHost(view, host, now)
  return true
}

const hearHost = (view: FleetView, host: HostView, now: number) => {
  host.heardAtMs = now
  host.isProven = true
  host.frozenAtMs = view.frozenAtMs === undefined ? undefined : now
}

const addHost = (view: FleetView, snapshot: HostSnapshot, now: number): HostView => {
  const host: HostView = {
    hostId: snapshot.hostId,
    snapshot,
    heardAtMs: now,
    frozenAtMs: view.frozenAtMs === undefined ? undefined : now,
    isProven: true,
    isKeyed: false,
    pools: new Map(),
  }
  view.hosts.set(host.hostId, host)
  return host
}
