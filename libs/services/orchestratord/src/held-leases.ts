import { create, toBinary } from '@bufbuild/protobuf'
import { LiveLeaseSchema, type Assigned, type LiveLease } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { Grant, JobFacts } from './session.ts'
import { FRAMING_BYTES } from './unsettled-releases.ts'

export type HeldLeases = ReturnType<typeof createHeldLeases>

/** The leases this gateway holds, as it declares them to the next leader. */
export const createHeldLeases = () => {
  const held = new Map<string, { readonly lease: LiveLease; readonly revoke: AbortController }>()
  return {
    get size() {
      return held.size
    },
    add: (assigned: Assigned, job: JobFacts): Grant => {
      const revoke = new AbortController()
      held.set(assigned.leaseId, { lease: liveLease(assigned, job), revoke })
      return grantOf(assigned, revoke.signal)
    },
    termOf: (leaseId: string): bigint | undefined => held.get(leaseId)?.lease.term,
    /** Takes a lease out. Undefined for one that is not held. */
    take: (leaseId: string): LiveLease | undefined => {
      const lease = held.get(leaseId)?.lease
      held.delete(leaseId)
      return lease
    },
    revoke: (leaseId: string, reason: string) =>
      held
        .get(leaseId)
        ?.revoke.abort(new BerthError('POOL_UNAVAILABLE', `The lease was revoked: ${reason}.`)),
    live: (): LiveLease[] => [...held.values()].map(({ lease }) => lease),
    /** What they take of a Hello. */
    bytes: (): number =>
      [...held.values()].reduce(
        (sum, { lease }) => sum + toBinary(LiveLeaseSchema, lease).length + FRAMING_BYTES,
        0,
      ),
  }
}

/** A lease with what the next leader must know to go on with it. */
export const liveLease = (assigned: Assigned, job: JobFacts): LiveLease => {
  const { leaseId, jobId, poolId, epoch, term, reserved } = assigned
  const { modelId = '', keyId = '', tenant = '', sessionId = '', budget } = job
  return create(LiveLeaseSchema, {
    ...{ leaseId, jobId, poolId, epoch, term, modelId, keyId, tenant, sessionId },
    ...(reserved === undefined ? {} : { reserved }),
    ...(budget === undefined ? {} : { budget }),
  })
}

const grantOf = (assigned: Assigned, revoked: AbortSignal): Grant => {
  const { leaseId, poolId, instanceId, ingressAddress, token, queuedMs } = assigned
  const { queueDepth, kvWarmth, onTimeProbability, seed, remaining } = assigned
  return {
    ...{ leaseId, poolId, instanceId, ingressAddress, token, queuedMs, revoked },
    ...{ queueDepth, kvWarmth },
    ...(onTimeProbability === undefined ? {} : { onTimeProbability }),
    ...(seed === undefined ? {} : { seed }),
    ...(remaining === undefined ? {} : { remaining }),
  }
}
