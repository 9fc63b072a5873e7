import type { HostId, ModelId, PoolId } from '@berth/kernel'
import type { FleetView, HostView, PoolView } from './fleet-view.ts'
import type { DeviceKind, HostSnapshot } from './host-snapshot.ts'
import { kvSlope, type KvSlope } from './kv-bytes.ts'
import type { ModelResidency, PoolSnapshot } from './pool-snapshot.ts'
import { readMemory } from './pool-memory.ts'
import { beginClass, beginEvidence, createPoolEvidence } from './pool-evidence.ts'
import { forgetPool } from './prefix-index.ts'
import { joinClass, leaveClass } from './speed-class.ts'
import { beginRow, forgetRow } from './speed-rows.ts'
import { routeMask } from './route-bits.ts'

/** Why the work on a pool is void: its leases point at something that is no more. */
export interface VoidedPool {
  readonly poolId: PoolId
  readonly cause: 'epoch' | 'instance' | 'gone'
}

/**
 * Makes the pools of a host those of its snapshot. A pool id that another host claimed first stays
 * with that host, and the conflict is recorded. Returns the pools that left or changed instance.
 */
export const claimPools = (view: FleetView, host: HostView): VoidedPool[] => {
  const voided: VoidedPool[] = []
  const named = new Set<PoolId>()
  for (const pool of host.snapshot.pools) {
    // Twice in one snapshot: the first counts.
    if (named.has(pool.poolId)) continue
    named.add(pool.poolId)
    const known = view.pools.get(pool.poolId)
    if (!known) addPool(view, host, pool)
    else if (known.host !== host) recordConflict(view, pool.poolId, host.hostId)
    else if (replacePool(view, known, pool)) {
      voided.push({ poolId: pool.poolId, cause: 'instance' })
    }
  }
  for (const poolId of [...host.pools.keys()]) {
    if (named.has(poolId)) continue
    voided.push({ poolId, cause: 'gone' })
    removePool(view, poolId)
  }
  for (const [poolId, claimants] of view.conflicts) {
    if (!named.has(poolId)) forgetConflict(view, poolId, claimants, host.hostId)
  }
  return voided
}

/** Takes a pool out of the view, and gives its id to the next host that claims it. */
export const removePool = (view: FleetView, poolId: PoolId): void => {
  const pool = view.pools.get(poolId)
  if (!pool) return
  view.pools.delete(poolId)
  pool.host.pools.delete(poolId)
  unindexModels(view, pool)
  forgetPool(view.prefixes, pool.number)
  view.numbers.free.push(pool.number)
  leaveClass(view.speedClasses, pool.evidence)
  const claimants = view.conflicts.get(poolId)
  for (const hostId of claimants ?? []) {
    const host = view.hosts.get(hostId)
    const claimed = host?.snapshot.pools.find((candidate) => candidate.poolId === poolId)
    if (!host || !claimed || host === pool.host) continue
    forgetConflict(view, poolId, claimants!, hostId)
    addPool(view, host, claimed)
    return
  }
}

/** Ends a host's claim on a pool id that another host has. */
export const forgetConflict = (
  view: FleetView,
  poolId: PoolId,
  claimants: Set<HostId>,
  hostId: HostId,
): void => {
  claimants.delete(hostId)
  if (claimants.size === 0) view.conflicts.delete(poolId)
}

const recordConflict = (view: FleetView, poolId: PoolId, hostId: HostId) => {
  const claimants = view.conflicts.get(poolId)
  if (claimants) claimants.add(hostId)
  else view.conflicts.set(poolId, new Set([hostId]))
}

const addPool = (view: FleetView, host: HostView, snapshot: PoolSnapshot) => {
  const pool: PoolView = {
    poolId: snapshot.poolId,
    host,
    snapshot,
    ...readFacts(view, host.snapshot, snapshot),
    reserved: view.reservations.get(snapshot.poolId) ?? 0,
    number: view.numbers.free.pop() ?? view.numbers.taken++,
    life: ++view.numbers.lives,
    evidence: createPoolEvidence(joinClass(view.speedClasses, host.snapshot, snapshot)),
  }
  beginRow(view.speedRows, pool.number)
  view.pools.set(pool.poolId, pool)
  host.pools.set(pool.poolId, pool)
  indexModels(view, pool)
}

/** True when the instance that ran before is gone. */
const replacePool = (view: FleetView, pool: PoolView, snapshot: PoolSnapshot): boolean => {
  const before = pool.snapshot
  unindexModels(view, pool)
  pool.snapshot = snapshot
  Object.assign(pool, readFacts(view, pool.host.snapshot, snapshot))
  indexModels(view, pool)
  reclassify(view, pool)
  if (before.instanceId !== snapshot.instanceId) beginLife(view, pool)
  else if (hasUnloaded(before, pool)) forgetPool(view.prefixes, pool.number)
  return before.instanceId !== undefined && before.instanceId !== snapshot.instanceId
}

/** A snapshot may tell more of a pool's kind, or that it is another: its bias begins anew. */
const reclassify = (view: FleetView, pool: PoolView) => {
  const { evidence } = pool
  const speeds = joinClass(view.speedClasses, pool.host.snapshot, pool.snapshot)
  if (speeds === evidence.speeds) speeds.pools -= 1
  else {
    leaveClass(view.speedClasses, evidence)
    beginClass(evidence, speeds)
  }
  forgetRow(view.speedRows, pool.number)
}

/** A new engine process: nothing cached, nothing to do. How fast it is stays known. */
const beginLife = (view: FleetView, pool: PoolView) => {
  pool.life = ++view.numbers.lives
  beginEvidence(pool.evidence)
  beginRow(view.speedRows, pool.number)
  forgetPool(view.prefixes, pool.number)
}

const hasUnloaded = (before: PoolSnapshot, { residencies }: PoolView): boolean =>
  before.models.some(
    ({ modelId, residency }) =>
      residency === 'resident' && residencies.get(modelId)?.residency !== 'resident',
  )

/** What decisions read, taken out of the snapshot once. */
const readFacts = (view: FleetView, host: HostSnapshot, pool: PoolSnapshot) => {
  const { performance } = pool
  const [first, ...others] = pool.models
  return {
    residencies: indexResidencies(pool),
    onlyResidency: others.length === 0 ? first?.residency : undefined,
    isOpen: isOpen(host, pool),
    routeMask: routeMask(view, pool.supports.routes),
    slotsTotal: pool.slotsTotal,
    contextLength: pool.contextLength,
    // A rate of zero is an agent's bug; it must not win or poison a comparison.
    msPerToken: performance ? 1_000 / Math.max(performance.tokensPerS, 0.001) : 0,
    firstTokenMs: performance?.firstTokenMs ?? 0,
    deviceKind: firstDeviceKind(host, pool),
    ...readMemory(host.devices, pool),
    onlyKvSlope: others.length === 0 ? kvSlope(first?.dimensions) : undefined,
    kvSlopes: others.length === 0 ? NO_SLOPES : indexKvSlopes(pool),
  }
}

const indexResidencies = (snapshot: PoolSnapshot): ReadonlyMap<ModelId, ModelResidency> =>
  new Map(snapshot.models.map((model) => [model.modelId, model]))

const NO_SLOPES: ReadonlyMap<ModelId, KvSlope> = new Map()

const indexKvSlopes = (snapshot: PoolSnapshot): ReadonlyMap<ModelId, KvSlope> =>
  new Map(
    snapshot.models.flatMap(({ modelId, dimensions }) =>
      dimensions ? [[modelId, kvSlope(dimensions)]] : [],
    ),
  )

const isOpen = (host: HostSnapshot, pool: PoolSnapshot): boolean =>
  pool.isLive && pool.isReady && pool.state !== 'failed' && !pool.isDraining && !host.isDraining

const firstDeviceKind = (host: HostSnapshot, pool: PoolSnapshot): DeviceKind =>
  host.devices.find(({ deviceId }) => deviceId === pool.deviceMask[0])?.kind ?? 'unknown'

const indexModels = (view: FleetView, pool: PoolView) => {
  for (const modelId of pool.residencies.keys()) {
    const pools = view.poolsOfModel.get(modelId)
    if (pools) pools.push(pool)
    else view.poolsOfModel.set(modelId, [pool])
  }
}

const unindexModels = (view: FleetView, pool: PoolView) => {
  for (const modelId of pool.residencies.keys()) {
    const pools = view.poolsOfModel.get(modelId)!
    const last = pools.pop()!
    if (last !== pool) pools[pools.indexOf(pool)] = last
    if (pools.length === 0) view.poolsOfModel.delete(modelId)
  }
}
