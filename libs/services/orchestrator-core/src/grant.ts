import { endService, type ServiceNote } from '@berth/admission'
import { release, reserve, reserveInUse, type PoolView } from '@berth/fleet'
import { assert, parseLeaseId, randomUuid, type GatewayId, type LeaseId } from '@berth/kernel'
import { bindCharge, refundGateway, voidCharge } from './charges.ts'
import { noteGrant } from '@berth/placement'
import type { LeaseVoidCause } from './core-event.ts'
import type { Core } from './core-state.ts'
import { learnExpectedTokens, placementJobOf } from './decide.ts'
import { factsOf, servedTokens } from './job-end.ts'
import type { Ask, LeaseResult } from './job-spec.ts'
import { isWarm, noteNoResult, noteResult, seedOf } from './lease-evidence.ts'
import { addLease, removeLease, type Lease } from './lease-table.ts'

/** Where and since when: what a lease is made of besides its job. */
export interface Grant {
  readonly gatewayId: GatewayId
  readonly pool: PoolView
  readonly predictedEndMs: number
  readonly queuedMs: number
  /** Jobs of the model that still wait. */
  readonly queueDepth: number
  readonly onTimeProbability?: number
  /** What the queue charged for it. */
  readonly service: ServiceNote | undefined
}

/** Reserves the slot, makes the lease and tells the gateway: assume, then bind. */
export const grant = (
  core: Core,
  ask: Ask,
  { gatewayId, pool, service, ...times }: Grant,
): void => {
  const { role } = core
  assert(role.kind === 'leader', 'only a leader grants leases')
  const job = placementJobOf(core, ask)
  const seed = seedOf(core, job, pool)
  assert(reserve(core.view, pool.poolId), 'placement chose a pool with a free slot')
  const note = noteGrant(core.view, job, pool, core.clock.now())
  const { hostId, snapshot: host } = pool.host
  const lease: Lease & { gatewayId: GatewayId } = {
    leaseId: parseLeaseId(randomUuid(core.rng)),
    jobId: ask.jobId,
    poolId: pool.poolId,
    modelId: ask.spec.modelId,
    epoch: host.epoch,
    instanceId: pool.snapshot.instanceId,
    sessionId: ask.spec.sessionId,
    gatewayId,
    ...{ service, note },
    expiresAtMs: undefined,
  }
  addLease(core.leases, lease)
  const { leaseId, poolId, modelId, epoch, instanceId } = lease
  const token = core.effects.mintToken({
    leaseId,
    hostId,
    poolId,
    epoch,
    term: role.term,
    modelId: modelId!,
    expiresAtMs: core.clock.wall() + core.policy.tokenTtlMs,
  })
  const key = core.gateways.get(gatewayId)?.key
  assert(key !== undefined, 'jobs of a gateway without a session do not wait')
  core.effects.send(key, {
    kind: 'assigned',
    ...{ jobId: ask.jobId, leaseId, poolId, instanceId, token, epoch, term: role.term, ...times },
    ingressAddress: host.ingressAddress,
    kvWarmth: isWarm(job, note),
    engine: pool.snapshot.engine,
    engineVersion: pool.snapshot.engineVersion,
    ...seed,
    ...bindCharge(core, ask.jobId, lease),
  })
  core.effects.report({
    kind: 'job_ended',
    job: factsOf(ask),
    outcome: 'dispatched',
    ...{ queuedMs: times.queuedMs, poolId, leaseId, ...seed },
  })
}

/** Takes over a lease somebody else granted: its slot is in use whatever the view says. */
export const adoptLease = (core: Core, lease: Lease): void => {
  addLease(core.leases, lease)
  reserveInUse(core.view, lease.poolId)
}

/**
 * Ends a lease by its gateway's word. Undefined for one that is another's, or over. One that a new
 * leader only knows from its agent belongs to whoever can name it: ids cannot be guessed.
 */
export const releaseLease = (
  core: Core,
  gatewayId: GatewayId,
  leaseId: LeaseId,
  result: LeaseResult,
): Lease | undefined => {
  const lease = core.leases.byId.get(leaseId)
  if (!lease) return undefined
  if (lease.gatewayId !== undefined && lease.gatewayId !== gatewayId) return undefined
  endLease(core, lease, servedTokens(result))
  noteResult(core, lease, result)
  if (result.outcome === 'completed') {
    if (lease.modelId !== undefined && result.tokensOut > 0) {
      learnExpectedTokens(core, lease.modelId, result.tokensOut)
    }
  }
  const pool = core.view.pools.get(lease.poolId)?.snapshot
  core.effects.report({
    kind: 'lease_released',
    ...{ leaseId, jobId: lease.jobId, poolId: lease.poolId, result },
    engine: pool?.engine ?? '',
    engineVersion: pool?.engineVersion ?? '',
  })
  return lease
}

/** Ends a lease without its gateway's word; `isTold` sends it Revoked. */
export const voidLease = (core: Core, lease: Lease, cause: LeaseVoidCause, isTold = true): void => {
  // Lost ones were never used; of the others nobody knows what they took.
  if (!endLease(core, lease, cause === 'lost' ? 0 : undefined)) return
  noteNoResult(core, lease)
  const { leaseId, poolId, gatewayId } = lease
  voidCharge(core, leaseId, gatewayId)
  const key = gatewayId === undefined ? undefined : core.gateways.get(gatewayId)?.key
  if (isTold && key !== undefined) {
    core.effects.send(key, { kind: 'revoked', leaseId, reason: REVOKED_BECAUSE[cause] })
  }
  core.effects.report({ kind: 'lease_voided', leaseId, jobId: lease.jobId, poolId, cause })
}

const endLease = (core: Core, lease: Lease, tokens: number | undefined): boolean => {
  if (!removeLease(core.leases, lease)) return false
  if (lease.service) endService(core.queue, lease.service, tokens)
  release(core.view, lease.poolId)
  if (lease.gatewayId !== undefined) forgetIdleGateway(core, lease.gatewayId)
  return true
}

/** A gateway is known while it has a session or a lease, whichever way the last one ends. */
export const forgetIdleGateway = (core: Core, gatewayId: GatewayId): void => {
  if (core.gateways.get(gatewayId)?.key !== undefined) return
  if (core.leases.byGateway.has(gatewayId)) return
  core.gateways.delete(gatewayId)
  refundGateway(core, gatewayId)
}

const REVOKED_BECAUSE: Readonly<Record<LeaseVoidCause, string>> = {
  epoch: 'STALE_EPOCH',
  instance: 'WORKER_RESET',
  gone: 'POOL_UNAVAILABLE',
  expired: 'LEASE_EXPIRED',
  leaked: 'LEASE_EXPIRED',
  lost: 'LEASE_EXPIRED',
  leadership: 'NOT_LEADER',
}
