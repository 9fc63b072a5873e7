import type { ServiceNote } from '@berth/admission'
import { assert, type GatewayId, type JobId, type LeaseId } from '@berth/kernel'
import type { InstanceId, ModelId, PoolId } from '@berth/kernel'
import type { GrantNote } from '@berth/placement'

/** A slot that is granted. */
export interface Lease {
  readonly leaseId: LeaseId
  readonly jobId: JobId | undefined
  readonly poolId: PoolId
  readonly modelId: ModelId | undefined
  readonly epoch: number
  /** Absent for leases of an earlier leader, which did not hand it on. */
  readonly instanceId: InstanceId | undefined
  readonly sessionId: string
  /** What its tenant was charged; absent for leases of an earlier leader. */
  readonly service?: ServiceNote | undefined
  /** What its pool was expected to do; absent for leases of an earlier leader. */
  readonly note?: GrantNote | undefined
  /** Absent until a gateway declares it. */
  gatewayId: GatewayId | undefined
  /** When it is reclaimed; absent while a live session holds it. */
  expiresAtMs: number | undefined
}

/** Every lease core counts, with the indexes its owners ask by. */
export interface LeaseTable {
  readonly byId: Map<LeaseId, Lease>
  readonly byPool: Map<PoolId, Set<Lease>>
  readonly byGateway: Map<GatewayId, Set<Lease>>
  readonly byJob: Map<JobId, Lease>
  /** Leases no live session holds. */
  readonly orphans: Set<Lease>
}

/** A table without leases. */
export const createLeaseTable = (): LeaseTable => ({
  byId: new Map(),
  byPool: new Map(),
  byGateway: new Map(),
  byJob: new Map(),
  orphans: new Set(),
})

/** Adds a lease whose slot is reserved. Its id must be new. */
export const addLease = (table: LeaseTable, lease: Lease): void => {
  assert(!table.byId.has(lease.leaseId), `lease ${lease.leaseId} is granted once`)
  table.byId.set(lease.leaseId, lease)
  put(table.byPool, lease.poolId, lease)
  if (lease.gatewayId !== undefined) put(table.byGateway, lease.gatewayId, lease)
  if (lease.jobId !== undefined) table.byJob.set(lease.jobId, lease)
  if (lease.expiresAtMs !== undefined) table.orphans.add(lease)
}

/** Takes a lease out; false when it is gone already, so that its slot is released once. */
export const removeLease = (table: LeaseTable, lease: Lease): boolean => {
  if (!table.byId.delete(lease.leaseId)) return false
  drop(table.byPool, lease.poolId, lease)
  if (lease.gatewayId !== undefined) drop(table.byGateway, lease.gatewayId, lease)
  if (lease.jobId !== undefined && table.byJob.get(lease.jobId) === lease) {
    table.byJob.delete(lease.jobId)
  }
  table.orphans.delete(lease)
  return true
}

/** A live session of this gateway holds the lease. */
export const holdLease = (table: LeaseTable, lease: Lease, gatewayId: GatewayId): void => {
  if (lease.gatewayId !== gatewayId) {
    if (lease.gatewayId !== undefined) drop(table.byGateway, lease.gatewayId, lease)
    lease.gatewayId = gatewayId
    put(table.byGateway, gatewayId, lease)
  }
  lease.expiresAtMs = undefined
  table.orphans.delete(lease)
}

/** No session holds the lease any more; it is reclaimed at `expiresAtMs`. */
export const orphanLease = (table: LeaseTable, lease: Lease, expiresAtMs: number): void => {
  lease.expiresAtMs = expiresAtMs
  table.orphans.add(lease)
}

/** The leases of a pool, or of a gateway, at this moment. */
export const leasesOf = <K>(index: ReadonlyMap<K, ReadonlySet<Lease>>, key: K): Lease[] => [
  ...(index.get(key) ?? []),
]

const put = <K>(index: Map<K, Set<Lease>>, key: K, lease: Lease) => {
  const leases = index.get(key)
  if (leases) leases.add(lease)
  else index.set(key, new Set([lease]))
}

const drop = <K>(index: Map<K, Set<Lease>>, key: K, lease: Lease) => {
  const leases = index.get(key)
  leases?.delete(lease)
  if (leases?.size === 0) index.delete(key)
}
