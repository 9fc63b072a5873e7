import { LeaseOutcome, type Assigned, type ServerFrame } from '@berth/contract'
import { unreachable } from '@berth/kernel'
import { rejectionOf, releaseFrame } from './frames.ts'
import { liveLease, type HeldLeases } from './held-leases.ts'
import type { Outbox } from './outbox.ts'
import type { ReleaseReport } from './session.ts'
import type { UnsettledReleases } from './unsettled-releases.ts'
import type { WaitingJobs } from './waiting-jobs.ts'

export interface FrameTargets {
  readonly waiting: WaitingJobs
  readonly leases: HeldLeases
  readonly unsettled: UnsettledReleases
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
      const { jobId, position, predictedStartMs: etaMs, reason, queueDepth } = frame.value
      const { onTimeProbability } = frame.value
      const probability = onTimeProbability === undefined ? {} : { onTimeProbability }
      const state = { position, etaMs, reason, queueDepth, ...probability }
      return waiting.request(jobId)?.onQueued(state)
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
      return targets.unsettled.settle(frame.value.sequence)
    case 'welcome':
    case 'notLeader':
    case undefined:
      // Handled by the link, or of a newer core.
      return
    default:
      return unreachable(frame)
  }
}

const onAssigned = (targets: FrameTargets, assigned: Assigned) => {
  const { waiting, leases, unsettled, send } = targets
  const request = waiting.request(assigned.jobId)
  // It crossed our Cancel, or the job gave up while there was no session.
  if (!request) return send(releaseFrame(unsettled.add(liveLease(assigned, {}), UNUSED)))
  const grant = leases.add(assigned, request.job)
  waiting.settle(assigned.jobId, { kind: 'assigned', grant })
}

const UNUSED: ReleaseReport = {
  outcome: LeaseOutcome.UNUSED,
  tokensIn: 0,
  tokensOut: 0,
  firstTokenMs: 0,
  decodeMs: 0,
}
