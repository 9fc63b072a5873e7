import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  Freshness,
  Residency as WireResidency,
  type FleetHostSchema,
  type FleetModelSchema,
  type FleetPoolSchema,
  type GetFleetStatusResponseSchema,
  type HostSnapshot as PublishedHost,
} from '@berth/contract'
import { freshnessOf, hostAgeMs, type HostView, type PoolView } from '@berth/fleet'
import { isEligible } from '@berth/placement'
import { assert, type ModelId } from '@berth/kernel'
import type { Core } from './core-state.ts'
import { toUint32 } from './wire-signal.ts'

/** A pool as published, with what only core knows of it. */
export const reportPool = (
  core: Readonly<Core>,
  pool: PoolView,
): MessageInitShape<typeof FleetPoolSchema> => {
  const { host } = pool
  const { pools, devices } = publishedOf(core, host)
  const wire = pools.find(({ poolId }) => poolId === pool.poolId)
  return {
    hostId: host.hostId,
    ...(wire ? { pool: wire } : {}),
    devices: devices.filter(({ deviceId }) => pool.snapshot.deviceMask.includes(deviceId)),
    ...reportAge(core, host),
    leasesGranted: pool.reserved,
    ineligibleReason: whyIneligible(core, pool),
  }
}

/** A host and the pools of it that are part of the fleet. */
export const reportHost = (
  core: Readonly<Core>,
  host: HostView,
): MessageInitShape<typeof FleetHostSchema> => ({
  hostId: host.hostId,
  epoch: BigInt(host.snapshot.epoch),
  revision: BigInt(host.snapshot.revision),
  agentVersion: publishedOf(core, host).agentVersion,
  grpcAddress: host.snapshot.grpcAddress,
  ingressAddress: host.snapshot.ingressAddress,
  devices: publishedOf(core, host).devices,
  poolIds: [...host.pools.keys()].sort(),
  ...reportAge(core, host),
  isDraining: host.snapshot.isDraining,
  poolsFileProblems: publishedOf(core, host).poolsFileProblems,
  ledger: publishedOf(core, host).ledger,
  ...diskOf(publishedOf(core, host)),
})

/** Every model of the fleet, sorted by id, and where it is. */
export const reportModels = (core: Readonly<Core>): MessageInitShape<typeof FleetModelSchema>[] =>
  [...core.view.poolsOfModel.keys()].sort().map((modelId) => reportModel(core, modelId))

/** What this core knows of itself and of the fleet, in numbers. */
export const reportStatus = (
  core: Readonly<Core>,
  facts: { readonly address: string; readonly isBusConnected: boolean; readonly version: string },
): MessageInitShape<typeof GetFleetStatusResponseSchema> => {
  const isLeader = core.role.kind === 'leader'
  const pools = [...core.view.pools.values()]
  return {
    coreId: core.coreId,
    isLeader,
    term: BigInt(core.role.term),
    leaderAddress: core.role.kind === 'leader' ? facts.address : core.role.address,
    isBusConnected: facts.isBusConnected,
    hosts: core.view.hosts.size,
    poolsReady: pools.filter((pool) => pool.snapshot.isReady).length,
    poolsTotal: pools.length,
    jobsQueued: core.queue.jobs.size,
    leasesGranted: core.leases.byId.size,
    gateways: core.sessions.size,
    version: facts.version,
  }
}

const reportModel = (core: Readonly<Core>, modelId: ModelId) => {
  const pools = core.view.poolsOfModel.get(modelId)!
  const places = pools.map((pool) => {
    const wire = publishedOf(core, pool.host).pools.find(({ poolId }) => poolId === pool.poolId)
    const model = wire?.models.find((candidate) => candidate.modelId === modelId)
    const { residency = WireResidency.ABSENT, activeRequests = 0 } = model ?? {}
    return { poolId: pool.poolId, residency, activeRequests }
  })
  const residencies = places.map(({ residency }) => residency)
  const best = BEST_FIRST.find((residency) => residencies.includes(residency))
  return {
    modelId,
    residency: best ?? WireResidency.ABSENT,
    places,
    contextLength: Math.max(0, ...pools.map(({ snapshot }) => snapshot.contextLength)),
    routes: [...new Set(pools.flatMap(({ snapshot }) => snapshot.supports.routes))].sort(),
    firstSeenMs: BigInt(Math.round(core.firstSeen.get(modelId) ?? 0)),
  }
}

const BEST_FIRST = [
  WireResidency.RESIDENT,
  WireResidency.LOADING,
  WireResidency.DRAINING,
  WireResidency.UNLOADING,
  WireResidency.ON_DISK,
  WireResidency.DOWNLOADING,
  WireResidency.FAILED,
]

/** What an agent published is kept as long as its host is in the view. */
const publishedOf = (core: Readonly<Core>, host: HostView): PublishedHost => {
  const published = core.published.get(host.hostId)
  assert(published !== undefined, `the snapshot of ${host.hostId} is kept`)
  return published
}

/** The disk of a host that keeps model files. */
const diskOf = ({ modelDisk }: PublishedHost) => (modelDisk ? { modelDisk } : {})

const reportAge = (core: Readonly<Core>, host: HostView) => {
  const now = core.clock.now()
  const { freshness } = core.policy.placement
  return {
    lastHeartbeatMs: toUint32(hostAgeMs(core.view, host, now)),
    freshness:
      freshnessOf(core.view, host, freshness, now) === 'fresh' ? Freshness.FRESH : Freshness.STALE,
  }
}

/** The first reason why nothing new goes to a pool; empty when it may. */
const whyIneligible = (core: Readonly<Core>, pool: PoolView): string => {
  const { snapshot, host } = pool
  const now = core.clock.now()
  const question = { view: core.view, policy: core.policy.placement, now }
  if (isEligible(question, pool)) return ''
  if (snapshot.isDraining || host.snapshot.isDraining) return 'POOL_DRAINING'
  if (snapshot.state === 'failed') return 'POOL_FAILED'
  if (!snapshot.isLive || !snapshot.isReady) return 'POOL_UNREADY'
  if (!host.isKeyed) return 'HOST_NOT_KEYED'
  return 'HOST_STALE'
}
