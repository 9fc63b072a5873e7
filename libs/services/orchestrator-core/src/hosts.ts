import type { HostSnapshot as PublishedHost } from '@berth/contract'
import {
  expireHosts,
  foldSnapshot,
  markKeyed,
  type HostSnapshot,
  type HostView,
  type PoolView,
  type SnapshotOrigin,
  type VoidedPool,
} from '@berth/fleet'
import type { HostId, LeaseId } from '@berth/kernel'
import type { Core } from './core-state.ts'
import { dispatchPool } from './dispatch.ts'
import { adoptLease, voidLease } from './grant.ts'
import { leasesOf } from './lease-table.ts'

/** Folds a snapshot and does what follows: voids leases, delivers the key, dispatches. */
export const applySnapshot = (
  core: Core,
  snapshot: HostSnapshot,
  published: PublishedHost,
  origin: SnapshotOrigin = 'live',
): void => {
  const before = core.view.hosts.get(snapshot.hostId)?.snapshot
  const result = foldSnapshot(core.view, snapshot, core.clock.now(), origin)
  if (result.kind === 'dropped' && origin === 'live') reportTwin(core, snapshot, before)
  if (result.kind !== 'applied') return
  const { hostId, epoch } = snapshot
  core.published.set(hostId, published)
  noteModels(core, snapshot)
  const { isNewEpoch } = result
  core.effects.report({ kind: 'host_applied', hostId, epoch, isNewEpoch })
  reportConflicts(core, snapshot, before)
  if (core.role.kind !== 'leader') return
  if (snapshot.term > core.role.term) return core.effects.resign(snapshot.term)

  const host = core.view.hosts.get(hostId)!
  const hasMoved = before?.grpcAddress !== snapshot.grpcAddress
  if (isNewEpoch || (hasMoved && !host.isKeyed)) deliverKey(core, host)
  voidPools(core, result.voided)
  for (const pool of host.pools.values()) voidStrangers(core, pool)
  meetHost(core, host)
  for (const pool of host.pools.values()) dispatchPool(core, pool)
}

/** The agent of this epoch accepts tokens of this term: its pools may take jobs. */
export const keyHost = (core: Core, hostId: HostId, epoch: number, term: number): void => {
  if (core.role.kind !== 'leader' || core.role.term !== term) return
  if (!markKeyed(core.view, hostId, epoch)) return
  core.effects.report({ kind: 'host_keyed', hostId, epoch })
  for (const pool of core.view.hosts.get(hostId)!.pools.values()) dispatchPool(core, pool)
}

/** Removes hosts that were silent for too long, and what was granted there. */
export const dropSilentHosts = (core: Core, now: number): void => {
  for (const { hostId, poolIds } of expireHosts(core.view, core.policy.placement.freshness, now)) {
    core.published.delete(hostId)
    core.met.delete(hostId)
    core.effects.forgetHost(hostId)
    core.effects.report({ kind: 'host_offline', hostId, pools: poolIds.length })
    voidPools(
      core,
      poolIds.map((poolId) => ({ poolId, cause: 'gone' })),
    )
  }
  for (const poolId of core.woken.keys()) {
    if (!core.view.pools.has(poolId)) core.woken.delete(poolId)
  }
  for (const modelId of core.firstSeen.keys()) {
    if (!core.view.poolsOfModel.has(modelId)) core.firstSeen.delete(modelId)
  }
}

/** Starts the delivery of the present term's key to a host. */
export const deliverKey = (core: Core, host: HostView): void => {
  if (core.role.kind !== 'leader') return
  const { epoch, grpcAddress } = host.snapshot
  core.effects.installKey({ hostId: host.hostId, epoch, term: core.role.term, grpcAddress })
}

/**
 * Counts the leases of an earlier leader that a host still serves, once per leadership: their
 * gateways have one TTL to declare them. Later snapshots only tell which of them have ended.
 */
export const meetHost = (core: Core, host: HostView): void => {
  const isFirst = !core.met.has(host.hostId)
  core.met.add(host.hostId)
  for (const pool of host.pools.values()) {
    const served = new Set(pool.snapshot.leaseIds)
    if (isFirst) for (const leaseId of served) adoptServed(core, pool, leaseId)
    for (const lease of leasesOf(core.leases.byPool, pool.poolId)) {
      if (lease.gatewayId === undefined && !served.has(lease.leaseId)) {
        voidLease(core, lease, 'lost')
      }
    }
  }
}

const adoptServed = (core: Core, pool: PoolView, leaseId: LeaseId) => {
  if (core.leases.byId.has(leaseId)) return
  adoptLease(core, {
    leaseId,
    ...{ jobId: undefined, modelId: undefined, gatewayId: undefined, sessionId: '' },
    poolId: pool.poolId,
    epoch: pool.host.snapshot.epoch,
    instanceId: pool.snapshot.instanceId,
    expiresAtMs: core.clock.now() + core.policy.leaseTtlMs,
  })
}

const voidPools = (core: Core, voided: readonly VoidedPool[]) => {
  for (const { poolId, cause } of voided) {
    for (const lease of leasesOf(core.leases.byPool, poolId)) voidLease(core, lease, cause)
  }
}

/** A lease declared before its pool was known may turn out to be of an agent life that is over. */
const voidStrangers = (core: Core, pool: PoolView) => {
  for (const lease of leasesOf(core.leases.byPool, pool.poolId)) {
    if (lease.epoch < pool.host.snapshot.epoch) voidLease(core, lease, 'epoch')
  }
}

const noteModels = (core: Core, snapshot: HostSnapshot) => {
  for (const { models } of snapshot.pools) {
    for (const { modelId } of models) {
      if (!core.firstSeen.has(modelId)) core.firstSeen.set(modelId, core.clock.wall())
    }
  }
}

/** A last word of the agent's earlier life has its address; two agents never share one. */
const reportTwin = (
  core: Core,
  { hostId, epoch, grpcAddress }: HostSnapshot,
  known?: HostSnapshot,
) => {
  if (!known || epoch === known.epoch || grpcAddress === known.grpcAddress) return
  core.effects.report({ kind: 'host_conflict', hostId, ignoredAddress: grpcAddress })
}

const reportConflicts = (core: Core, { hostId, pools }: HostSnapshot, before?: HostSnapshot) => {
  for (const { poolId } of pools) {
    if (!core.view.conflicts.get(poolId)?.has(hostId)) continue
    if (before?.pools.some((pool) => pool.poolId === poolId)) continue
    core.effects.report({ kind: 'pool_conflict', poolId, hostId })
  }
}
