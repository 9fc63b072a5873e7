import { assert, type HostId, type PoolId } from '@berth/kernel'
import type { FleetView, PoolView } from './fleet-view.ts'

/** Slots core may still grant. Never negative, also when the pool shrank below what is granted. */
export const slotsFree = (pool: PoolView): number => Math.max(0, pool.slotsTotal - pool.reserved)

/** Takes one slot of a pool; false when none is free or the pool is not in the view. */
export const reserve = (view: FleetView, poolId: PoolId): boolean => {
  const pool = view.pools.get(poolId)
  if (!pool || slotsFree(pool) === 0) return false
  setReserved(view, poolId, pool.reserved + 1)
  return true
}

/**
 * Counts a slot that is in use already, whatever the view thinks is free: a request that runs
 * takes its slot whether or not core remembers granting it.
 */
export const reserveInUse = (view: FleetView, poolId: PoolId): void => {
  setReserved(view, poolId, (view.reservations.get(poolId) ?? 0) + 1)
}

/** Gives a slot back. Each reservation is released once; one too many is a bug and throws. */
export const release = (view: FleetView, poolId: PoolId): void => {
  const reserved = view.reservations.get(poolId) ?? 0
  assert(reserved > 0, `a slot of ${poolId} is released that was not reserved`)
  setReserved(view, poolId, reserved - 1)
}

/**
 * Notes that the agent of this epoch has the leader's lease key, and with it that the agent lives.
 * False for another epoch.
 */
export const markKeyed = (view: FleetView, hostId: HostId, epoch: number): boolean => {
  const host = view.hosts.get(hostId)
  if (!host || host.snapshot.epoch !== epoch) return false
  host.isKeyed = true
  host.isProven = true
  return true
}

/** Forgets which hosts are keyed: a new term has a new key. */
export const clearKeyed = (view: FleetView): void => {
  for (const host of view.hosts.values()) host.isKeyed = false
}

const setReserved = (view: FleetView, poolId: PoolId, reserved: number) => {
  if (reserved === 0) view.reservations.delete(poolId)
  else view.reservations.set(poolId, reserved)
  const pool = view.pools.get(poolId)
  if (pool) pool.reserved = reserved
}
