import type { HostId, PoolId } from '@berth/kernel'
import { forgetConflict, removePool } from './claim-pools.ts'
import type { FleetView, HostView } from './fleet-view.ts'

/** `stale`: nothing new is placed there. A host past `offlineMs` leaves the view. */
export type Freshness = 'fresh' | 'stale'

/** Ages of the last sign of life, in milliseconds. Source: design, 10 s and 30 s. */
export interface FreshnessPolicy {
  readonly staleMs: number
  readonly offlineMs: number
}

/** A host is stale after ten seconds without a word, and offline after thirty. */
export const DEFAULT_FRESHNESS: FreshnessPolicy = { staleMs: 10_000, offlineMs: 30_000 }

/** Milliseconds since the host was last heard of, not counting time while its age is frozen. */
export const hostAgeMs = (_view: FleetView, host: HostView, now: number): number =>
  Math.max(0, (host.frozenAtMs ?? now) - host.heardAtMs)

/** Whether new work may go to a host: it was heard itself, and not too long ago. */
export const freshnessOf = (
  view: FleetView,
  host: HostView,
  policy: FreshnessPolicy,
  now: number,
): Freshness => (host.isProven && hostAgeMs(view, host, now) <= policy.staleMs ? 'fresh' : 'stale')

/** A host that left the view, and the pools that left with it. */
export interface OfflineHost {
  readonly hostId: HostId
  readonly poolIds: readonly PoolId[]
}

/** Removes every host silent for longer than `offlineMs`. */
export const expireHosts = (
  view: FleetView,
  policy: FreshnessPolicy,
  now: number,
): OfflineHost[] => {
  const offline: OfflineHost[] = []
  for (const host of [...view.hosts.values()]) {
    if (hostAgeMs(view, host, now) <= policy.offlineMs) continue
    offline.push({ hostId: host.hostId, poolIds: [...host.pools.keys()] })
    removeHost(view, host)
  }
  return offline
}

/** Stops the ages: while the bus is down, silence says nothing about a host. */
export const freezeAges = (view: FleetView, now: number): void => {
  if (view.frozenAtMs !== undefined) return
  view.frozenAtMs = now
  for (const host of view.hosts.values()) host.frozenAtMs = now
}

/** Lets ages go on from where they were when they were frozen. */
export const thawAges = (view: FleetView, now: number): void => {
  if (view.frozenAtMs === undefined) return
  for (const host of view.hosts.values()) thaw(host, now)
  view.frozenAtMs = undefined
}

/**
 * Lets one host's age go on although the bus is down: it was asked by another way and did not
 * answer. Its next sign of life freezes the age again.
 */
export const thawHost = (view: FleetView, hostId: HostId, now: number): void => {
  const host = view.hosts.get(hostId)
  if (host) thaw(host, now)
}

const thaw = (host: HostView, now: number) => {
  if (host.frozenAtMs === undefined) return
  host.heardAtMs = Math.min(now, host.heardAtMs + (now - host.frozenAtMs))
  host.frozenAtMs = undefined
}

const removeHost = (view: FleetView, host: HostView) => {
  // First, so that no pool of the host is handed back to it.
  view.hosts.delete(host.hostId)
  for (const [poolId, claimants] of view.conflicts) {
    forgetConflict(view, poolId, claimants, host.hostId)
  }
  for (const poolId of [...host.pools.keys()]) removePool(view, poolId)
}
