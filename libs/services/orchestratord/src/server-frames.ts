import { LeaseOutcome, type Assigned, type ServerFrame } from '@berth/contract'
import { unreachable } from '@berth/kernel'
import { rejectionOf, releaseFrame } from './frames.ts'
import type { HeldLeases } from './held-leases.ts'
import type { Outbox } from './outbox.ts'
import type { ReleaseReport } from './session.ts'
import type { WaitingJobs } from './waiting-jobs.ts'

export interface FrameTargets {
  readonly waiting: WaitingJobs
  readonly leases: HeldLeases
  readonly send: Outbox['push']
  sawTerm(term: bigint): void
}

/** What each frame of core means for the jobs that wait and the leases that are held. */
export const onServerFrame = (targets: FrameTargets, { frame }: ServerFrame): void => {
  const { waiting, leases } = targets
  switch (frame.case) {
    case 'assigned':
      return onAssigned(targets, frame.value)
    case 'queued': {
      const { jobId, position, predictedStartMs: etaMs, reason } = frame.value
      return waiting.request(jobId)?.onQueued({ position, etaMs, reason })
    }
    case 'rejected':
      return waiting.settle(frame.value.jobId, {
        kind: 'rejected',
        error: rejectionOf(frame.value),
      })
    case 'revoked':
      return leases.revoke(frame.value.leaseId, frame.value.reason)
    case 'heartbeat':
      return targets.sawTerm(frame.value.term)
    case 'settled':
    case 'welcome':
    case 'notLeader':
    case undefined:
      // Handled by the link, or of a newer core.
      return
    default:
      return unreachable(frame)
  }
}

const onAssigned = ({ waiting, leases, send }: FrameTargets, assigned: Assigned) => {
  const request = waiting.request(assigned.jobId)
  // It crossed our Cancel, or the job gave up while there was no session.
  if (!request) return send(releaseFrame(assigned.leaseId, UNUSED))
  const grant = leases.add(assigned, request.job.modelId ?? '')
  waiting.settle(assigned.jobId, { kind: 'assigned', grant })
}

const UNUSED: ReleaseReport = {
  outcome: LeaseOutcome.UNUSED,
  tokensIn: 0,
  tokensOut: 0,
  firstTokenMs: 0,
  decodeMs: 0,
}
