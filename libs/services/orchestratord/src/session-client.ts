import { create } from '@bufbuild/protobuf'
import {
  HelloSchema,
  LeaseOutcome,
  type Assigned,
  type ServerFrame,
  type Welcome,
} from '@berth/contract'
import { unreachable, type Clock, type Rng } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import { acquireFrame, cancelFrame, rejectionOf, releaseFrame } from './frames.ts'
import { createHeldLeases } from './held-leases.ts'
import { keepSession } from './keep-session.ts'
import { createOutbox } from './outbox.ts'
import type { ReleaseReport, Session, SessionState } from './session.ts'
import type { Link } from './session-link.ts'
import { createWaitingJobs } from './waiting-jobs.ts'

export interface SessionClientOptions {
  readonly gatewayId: string
  /** Static list of core addresses, `host:port`. */
  readonly addresses: readonly string[]
  openLink(address: string): Link
  /** Runs a function at the end of this turn of the event loop. */
  defer(fn: () => void): void
  /** How long a request waits for a session, in milliseconds. */
  readonly coreWaitMs: number
  /** Most requests that wait at once, with or without a session. */
  readonly maxWaiting: number
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  onState(state: SessionState): void
}

/**
 * The one stream of this gateway to the leading core. It reconnects for ever; waiting jobs go to
 * the next leader in the order of their arrival, live leases are declared to it. Disposing ends
 * what waits and says goodbye.
 */
export const createSessionClient = (options: SessionClientOptions): Session & AsyncDisposable => {
  const { clock, log } = options
  const stopping = new AbortController()
  let state: SessionState = { kind: 'down' }
  let highestTerm = 0n
  let sessions = 0n
  let misses = 0
  let dropLink = () => undefined as void

  const outbox = createOutbox({ defer: options.defer, onOverflow: () => dropLink() })
  const leases = createHeldLeases()
  const waiting = createWaitingJobs({ ...options, cancel: (id) => send(cancelFrame(id)) })
  const send = (frame: Parameters<typeof outbox.push>[0]) => {
    if (state.kind === 'up') outbox.push(frame)
  }
  const moveTo = (next: SessionState) => {
    state = next
    options.onState(next)
  }

  const hello = () =>
    create(HelloSchema, {
      gatewayId: options.gatewayId,
      session: ++sessions,
      liveLeases: leases.live(),
      term: highestTerm,
    })
  const onUp = (link: Link, address: string, welcome: Welcome) => {
    const { term, leaderId } = welcome
    highestTerm = term
    misses = 0
    dropLink = () => link.close()
    moveTo({ kind: 'up', address, leaderId, term })
    log.info({ address, leaderId, term: String(term), waiting: waiting.size }, 'session is up')
    welcome.revokedLeaseIds.forEach((id) => leases.revoke(id, 'not honoured by the new leader'))
    for (const { leaseId, report } of leases.takeUnsent()) send(releaseFrame(leaseId, report))
    for (const request of waiting.onUp()) send(acquireFrame(request, clock.now()))
    outbox.attach(link)
  }
  const onDown = (why: string) => {
    moveTo({ kind: 'down' })
    log.warn({ why, waiting: waiting.size, leases: leases.size }, 'session is down')
    leases.keepUnsent(outbox.detach())
    waiting.onDown()
  }
  const onAssigned = (assigned: Assigned) => {
    const request = waiting.request(assigned.jobId)
    // It crossed our Cancel, or the job gave up while there was no session.
    if (!request) return send(releaseFrame(assigned.leaseId, UNUSED))
    const grant = leases.add(assigned, request.job.modelId ?? '')
    waiting.settle(assigned.jobId, { kind: 'assigned', grant })
  }
  const onFrame = ({ frame }: ServerFrame) => {
    switch (frame.case) {
      case 'assigned':
        return onAssigned(frame.value)
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
      case 'welcome':
      case 'notLeader':
      case undefined:
        // Handled by the link, or of a newer core.
        return
      default:
        return unreachable(frame)
    }
  }

  const kept = keepSession({
    ...options,
    hello,
    onUp,
    onDown,
    onFrame,
    onMiss: (address, why) => {
      misses += 1
      // The 1st, 2nd, 4th, 8th ...: a core that stays away must not fill the log.
      if (Number.isInteger(Math.log2(misses)))
        log.warn({ address, why, misses }, 'no session with this core')
    },
    signal: stopping.signal,
  })
  return {
    get state() {
      return state
    },
    acquire: (request) =>
      waiting.add(request, state.kind === 'up', () => send(acquireFrame(request, clock.now()))),
    release: (leaseId, report) => {
      if (state.kind === 'up') send(releaseFrame(leaseId, report))
      else leases.releaseLater(leaseId, report)
      leases.delete(leaseId)
    },
    [Symbol.asyncDispose]: async () => {
      waiting.close()
      outbox.flush()
      stopping.abort()
      await kept
    },
  }
}

const UNUSED: ReleaseReport = {
  outcome: LeaseOutcome.UNUSED,
  tokensIn: 0,
  tokensOut: 0,
  firstTokenMs: 0,
  decodeMs: 0,
}
