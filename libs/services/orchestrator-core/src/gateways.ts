import { BerthError, type GatewayId, type LeaseId } from '@berth/kernel'
import { readoptCharge, refundGateway, settleLease, type SettledRelease } from './charges.ts'
import type { Core, Gateway } from './core-state.ts'
import { dispatchAll } from './dispatch.ts'
import type { SessionKey } from './effects.ts'
import { adoptLease, forgetIdleGateway, releaseLease, voidLease } from './grant.ts'
import { leaveHeld, sendsAgain } from './held-asks.ts'
import { endWait } from './job-end.ts'
import { holdLease, leasesOf, orphanLease, type Lease } from './lease-table.ts'
import { storeLedger } from './ledger-rounds.ts'
import type { Hello, LiveLease } from './session-signal.ts'

/**
 * Opens a session, or says who leads. What the Hello declares is all its gateway holds: leases it
 * does not name are free again, those core does not know are counted from now on.
 */
export const welcome = (core: Core, key: SessionKey, hello: Hello): void => {
  const { role, effects } = core
  if (role.kind === 'leader' && hello.term > role.term) effects.resign(hello.term)
  if (core.role.kind !== 'leader') {
    const { address, term } = core.role
    effects.send(key, { kind: 'not_leader', address, term })
    return effects.close(key)
  }
  const known = core.gateways.get(hello.gatewayId)
  if (known && hello.session < known.session) {
    const message = `Session ${hello.session} of ${hello.gatewayId} is older than ${known.session}.`
    return effects.close(key, new BerthError('INVALID_PARAMS', message))
  }
  if (known?.key !== undefined) {
    const replaced = known.key
    leave(core, replaced)
    effects.close(replaced, new BerthError('CANCELLED', 'A newer session replaced this one.'))
  }
  const gateway = core.gateways.get(hello.gatewayId) ?? addGateway(core, hello.gatewayId)
  gateway.session = hello.session
  gateway.openedAtMs = core.clock.now()
  gateway.settledTo = 0
  gateway.key = key
  core.sessions.set(key, gateway)
  core.ledger.awaited.delete(gateway.gatewayId)
  for (const { live, ...release } of hello.unsettled) {
    takeRelease(core, gateway, { ...release, leaseId: live.leaseId }, live)
  }
  const revokedLeaseIds = redeclare(core, hello)
  const { term } = core.role
  effects.send(key, { kind: 'welcome', term, leaderId: core.coreId, revokedLeaseIds })
  const leases = core.leases.byGateway.get(gateway.gatewayId)?.size ?? 0
  effects.report({ kind: 'gateway_joined', gatewayId: gateway.gatewayId, leases })
  dispatchAll(core)
  storeLedger(core)
}

/**
 * Ends a lease by its gateway's word, and charges what it took: once, however often the gateway
 * tells it. `live` says whose it was where this leader never heard of it.
 */
export const takeRelease = (
  core: Core,
  gateway: Gateway,
  release: SettledRelease,
  live?: LiveLease,
): Lease | undefined => {
  const { sequence, leaseId, result } = release
  // 0: a gateway of a version that does not count them.
  if (sequence > 0 && sequence <= gateway.sequence) return undefined
  gateway.sequence = Math.max(gateway.sequence, sequence)
  const lease = releaseLease(core, gateway.gatewayId, leaseId, result)
  settleLease(core, gateway.gatewayId, release, live)
  return lease
}

/**
 * A session is over. Its waiting jobs leave: a gateway that comes back sends them again with the
 * time they have waited. Its leases live on for their TTL.
 */
export const leave = (core: Core, key: SessionKey): void => {
  const gateway = core.sessions.get(key)
  if (!gateway) return
  core.sessions.delete(key)
  gateway.key = undefined
  const jobs = gateway.waiting
  for (const job of [...core.queue.jobs.values()]) {
    if (job.payload.gatewayId !== gateway.gatewayId) continue
    if (endWait(core, job, 'cancelled')) sendsAgain(core, job.payload.ask, job.arrivedAtMs)
  }
  leaveHeld(core, gateway.gatewayId)
  const expiresAtMs = core.clock.now() + core.policy.leaseTtlMs
  for (const lease of leasesOf(core.leases.byGateway, gateway.gatewayId)) {
    orphanLease(core.leases, lease, expiresAtMs)
  }
  core.effects.report({ kind: 'gateway_left', gatewayId: gateway.gatewayId, jobs })
  forgetIdleGateway(core, gateway.gatewayId)
  dispatchAll(core)
}

/** Gives back every slot whose lease no session renewed in time. */
export const reclaimLeases = (core: Core, now: number): void => {
  for (const lease of [...core.leases.orphans]) {
    if (lease.expiresAtMs! > now) continue
    voidLease(core, lease, isServed(core, lease) ? 'leaked' : 'expired')
  }
}

/** Whether the agent named the lease in its last snapshot. */
const isServed = (core: Core, { poolId, leaseId }: Lease): boolean =>
  core.view.pools.get(poolId)?.snapshot.leaseIds.includes(leaseId) ?? false

const redeclare = (core: Core, { gatewayId, liveLeases }: Hello): LeaseId[] => {
  const declared = new Set(liveLeases.map(({ leaseId }) => leaseId))
  for (const lease of leasesOf(core.leases.byGateway, gatewayId)) {
    if (!declared.has(lease.leaseId)) voidLease(core, lease, 'lost', false)
  }
  // What it neither holds nor tells the end of, it never got.
  refundGateway(core, gatewayId, declared)
  return liveLeases.filter((lease) => !honour(core, gatewayId, lease)).map((lease) => lease.leaseId)
}

/** True when the lease is counted for this gateway from now on. */
const honour = (core: Core, gatewayId: GatewayId, live: LiveLease): boolean => {
  const known = core.leases.byId.get(live.leaseId)
  if (known) {
    if (known.gatewayId !== undefined && known.gatewayId !== gatewayId) return false
    holdLease(core.leases, known, gatewayId)
    readoptCharge(core, gatewayId, known, live)
    return true
  }
  // A pool, or an agent life, that core has not heard of may still come; an earlier life is over.
  const pool = core.view.pools.get(live.poolId)
  if (pool && pool.host.snapshot.epoch > live.epoch) return false
  const { leaseId, jobId, poolId, modelId, epoch } = live
  const instanceId = pool?.snapshot.instanceId
  const { sessionId } = live
  const lease: Lease = {
    ...{ leaseId, jobId, poolId, modelId, epoch, instanceId, gatewayId },
    ...{ sessionId, expiresAtMs: undefined },
  }
  adoptLease(core, lease)
  readoptCharge(core, gatewayId, lease, live)
  return true
}

const addGateway = (core: Core, gatewayId: GatewayId): Gateway => {
  const gateway: Gateway = {
    ...{ gatewayId, session: 0, openedAtMs: 0, key: undefined, waiting: 0 },
    ...{ sequence: 0, settledTo: 0 },
  }
  core.gateways.set(gatewayId, gateway)
  return gateway
}
