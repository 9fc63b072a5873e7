import { create } from '@bufbuild/protobuf'
import { HelloSchema, type ClientFrame, type Welcome } from '@berth/contract'
import type { Clock, Rng } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import { acquireFrame, cancelFrame, releaseFrame } from './frames.ts'
import { createHeldLeases, type HeldLeases } from './held-leases.ts'
import { keepSession } from './keep-session.ts'
import { createOutbox } from './outbox.ts'
import { onServerFrame } from './server-frames.ts'
import type { Session, SessionState } from './session.ts'
import type { Link } from './session-link.ts'
import { createUnsettledReleases, nameless, type UnsettledReleases } from './unsettled-releases.ts'
import { createWaitingJobs } from './waiting-jobs.ts'

/** Releases kept until core has stored them; as many as may wait, so that a Hello has room. */
const MAX_UNSETTLED = 20_000
/** Of what is held, in a Hello: three quarters of the longest message that core takes. */
const MAX_HELD_BYTES = 12 * 1024 * 1024

/** Who the gateway is, which cores it knows, and the ports it uses. */
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
  /** A release was dropped that core may not have stored: its charge may be lost. */
  onUnsettledDropped?(): void
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
  let link: Link | undefined

  const outbox = createOutbox({ defer: options.defer, onOverflow: () => link?.close() })
  const send = (frame: ClientFrame) => {
    if (state.kind === 'up') outbox.push(frame)
  }
  const leases = createHeldLeases()
  const unsettled = keepUnsettled(options)
  const waiting = createWaitingJobs({ ...options, cancel: (id) => send(cancelFrame(id)) })
  const greeting = createGreeting(options.gatewayId, leases, unsettled)
  const { sawTerm } = greeting
  const misses = createMissLog(log)
  const moveTo = (next: SessionState) => options.onState((state = next))

  const onUp = (opened: Link, address: string, welcome: Welcome) => {
    const { term, leaderId } = welcome
    sawTerm(term)
    misses.reset()
    link = opened
    moveTo({ kind: 'up', address, leaderId, term })
    log.info({ address, leaderId, term: String(term), waiting: waiting.size }, 'session is up')
    for (const id of welcome.revokedLeaseIds) leases.revoke(id, 'not honoured by the new leader')
    for (const { release } of greeting.untold()) if (release) send(releaseFrame(release))
    for (const request of waiting.onUp()) send(acquireFrame(request, clock.now()))
    outbox.attach(opened)
  }
  const onDown = (why: string) => {
    link = undefined
    moveTo({ kind: 'down' })
    log.warn({ why, waiting: waiting.size, leases: leases.size }, 'session is down')
    // Releases among them travel in the next Hello, jobs that wait are asked for again.
    outbox.detach()
    waiting.onDown()
  }
  const kept = keepSession({
    ...options,
    hello: greeting.next,
    onUp,
    onDown,
    onFrame: (frame) => onServerFrame({ waiting, leases, unsettled, send, sawTerm }, frame),
    onTerm: sawTerm,
    onMiss: misses.add,
    signal: stopping.signal,
  })
  return {
    get state() {
      return state
    },
    acquire: (request) =>
      waiting.add(request, state.kind === 'up', () => send(acquireFrame(request, clock.now()))),
    release: (leaseId, report) => {
      send(releaseFrame(unsettled.add(leases.take(leaseId) ?? nameless(leaseId), report)))
    },
    outdated: (leaseId) => {
      if (!greeting.isOutdated(leases.termOf(leaseId))) return
      log.warn({ leaseId }, 'an agent has seen a higher term')
      link?.close()
    },
    [Symbol.asyncDispose]: async () => {
      waiting.close()
      outbox.flush()
      stopping.abort()
      await kept
    },
  }
}

const keepUnsettled = ({ log, onUnsettledDropped }: SessionClientOptions): UnsettledReleases =>
  createUnsettledReleases({
    ...{ capacity: MAX_UNSETTLED, maxBytes: MAX_HELD_BYTES },
    onDropped: (dropped) => {
      onUnsettledDropped?.()
      sparsely(dropped, () => log.warn({ dropped }, 'release dropped that core may not have'))
    },
  })

/** Hello: the number of the session, the highest term that was seen, and all that is held. */
const createGreeting = (gatewayId: string, leases: HeldLeases, unsettled: UnsettledReleases) => {
  let told = 0n
  let session = 0n
  let term = 0n
  return {
    sawTerm: (seen: bigint) => {
      if (seen > term) term = seen
    },
    /** Notes that there is a higher one. False for a term of which that was known. */
    isOutdated: (refused: bigint | undefined): boolean => {
      if (refused === undefined || refused < term) return false
      term = refused + 1n
      return true
    },
    next: () => {
      unsettled.leaveRoom(leases.bytes())
      told = unsettled.last
      const holdings = { liveLeases: leases.live(), unsettled: unsettled.after(0n) }
      return create(HelloSchema, { gatewayId, session: ++session, term, ...holdings })
    },
    /** The releases that came after the last Hello was written. */
    untold: () => unsettled.after(told),
  }
}

/** Logs the 1st, 2nd, 4th, 8th ... miss: a core that stays away must not fill the log. */
const createMissLog = (log: Logger) => {
  let misses = 0
  return {
    reset: () => {
      misses = 0
    },
    add: (address: string, why: string) => {
      misses += 1
      sparsely(misses, () => log.warn({ address, why, misses }, 'no session with this core'))
    },
  }
}

const sparsely = (count: number, tell: () => void) => {
  if (Number.isInteger(Math.log2(count))) tell()
}
