import { create } from '@bufbuild/protobuf'
import { LiveLeaseSchema, type Assigned, type ClientFrame, type LiveLease } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { Grant, ReleaseReport } from './session.ts'

/** Releases kept while there is no session; core reclaims by TTL what falls off. */
const MAX_UNSENT = 20_000

interface Unsent {
  readonly leaseId: string
  readonly report: ReleaseReport
}

export type HeldLeases = ReturnType<typeof createHeldLeases>

/** The leases this gateway holds, and the releases that core has not been told of. */
export const createHeldLeases = () => {
  const held = new Map<string, { readonly lease: LiveLease; readonly revoke: AbortController }>()
  let unsent: Unsent[] = []

  const releaseLater = (leaseId: string, report: ReleaseReport) => {
    if (unsent.length < MAX_UNSENT) unsent.push({ leaseId, report })
  }
  return {
    get size() {
      return held.size
    },
    add: (assigned: Assigned, modelId: string): Grant => {
      const { leaseId, jobId, poolId, epoch, term } = assigned
      const revoke = new AbortController()
      const lease = create(LiveLeaseSchema, { leaseId, jobId, poolId, modelId, epoch, term })
      held.set(leaseId, { lease, revoke })
      const { instanceId, ingressAddress, token, queuedMs } = assigned
      const { signal } = revoke
      return { leaseId, poolId, instanceId, ingressAddress, token, queuedMs, revoked: signal }
    },
    termOf: (leaseId: string): bigint | undefined => held.get(leaseId)?.lease.term,
    delete: (leaseId: string) => void held.delete(leaseId),
    revoke: (leaseId: string, reason: string) =>
      held
        .get(leaseId)
        ?.revoke.abort(new BerthError('POOL_UNAVAILABLE', `The lease was revoked: ${reason}.`)),
    live: (): LiveLease[] => [...held.values()].map(({ lease }) => lease),
    releaseLater,
    /** Keeps the releases among frames that a broken session did not send. */
    keepUnsent: (frames: readonly ClientFrame[]) => {
      for (const { frame } of frames)
        if (frame.case === 'release') releaseLater(frame.value.leaseId, frame.value)
    },
    takeUnsent: (): readonly Unsent[] => {
      const taken = unsent
      unsent = []
      return taken
    },
  }
}
