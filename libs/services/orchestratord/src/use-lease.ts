import { LeaseOutcome } from '@berth/contract'
import { BerthError, messageOf, type Clock, type Reason } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { Caller } from './caller.ts'
import { grantHeaders } from './grant-headers.ts'
import type { Ingress, IngressResponse } from './ingress.ts'
import { relay, type RelayEnd } from './relay.ts'
import type { ExcludedPool, Grant, JobFacts, Session } from './session.ts'
import { readUsage, type Usage } from './read-usage.ts'

export interface LeaseUse {
  readonly grant: Grant
  readonly attempt: number
  readonly request: UpstreamRequest
}

/** What goes to the engine. */
export interface UpstreamRequest {
  readonly job: JobFacts
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Read once for each lease, so that its owner may let the bytes go when an answer is open. */
  readonly body: Uint8Array
  /** The seed of a strict job is not in the body: the ingress has to put it there. */
  readonly lacksSeed?: boolean
}

/** The lease came to nothing before the caller saw a byte. */
export interface Retry {
  readonly kind: 'retry'
  /** Of an ingress refusal, or `unreachable`, `broken`, `revoked`. */
  readonly reason: string
  readonly pool: ExcludedPool
  /** The pool itself is at fault until its next instance. */
  readonly isPoolBad: boolean
}

export interface LeaseSummary {
  readonly poolId: string
  readonly queuedMs: number
  readonly tokensIn: number
  readonly tokensOut: number
  readonly firstByteMs?: number
  readonly reason?: string
}

export type LeaseEnd = { readonly kind: 'over'; readonly summary: LeaseSummary } | Retry

export interface LeaseDeps {
  readonly session: Session
  readonly ingress: Ingress
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Refusals that say nothing against the pool: a moment later it may well take the job. `expired` is
 * none of them: a token is used as it is minted, so the clock of that host is wrong and will be.
 */
const PASSING_REFUSALS: ReadonlySet<string> = new Set([
  'no_slot',
  'stale_epoch',
  'stale_term',
  'bad_token',
  'replayed',
])

/** Sends the request with one lease and relays the answer. Releases the lease exactly once. */
export const useLease = async (
  deps: LeaseDeps,
  use: LeaseUse,
  caller: Caller,
): Promise<LeaseEnd> => {
  const { grant } = use
  const sentAtMs = deps.clock.now()
  const signal = AbortSignal.any([caller.gone, grant.revoked])
  const release = (outcome: LeaseOutcome, measured: Partial<Measured> = {}) =>
    deps.session.release(grant.leaseId, { ...NOT_MEASURED, outcome, ...measured })
  const retry = (reason: string, isPoolBad: boolean): Retry => ({
    kind: 'retry',
    reason,
    isPoolBad,
    pool: { poolId: grant.poolId, instanceId: grant.instanceId },
  })
  const leave = (): LeaseEnd => {
    release(LeaseOutcome.CLIENT_GONE)
    return over(use, NOT_MEASURED, whyGone(caller))
  }
  if (hasLeft(caller)) return leave()
  caller.started()

  let response: IngressResponse
  try {
    response = await deps.ingress({
      address: grant.ingressAddress,
      path: use.request.path,
      headers: ingressHeaders(use),
      body: use.request.body,
      signal,
    })
  } catch (error) {
    if (hasLeft(caller)) return leave()
    release(LeaseOutcome.UNREACHABLE)
    const facts = { pool: grant.poolId, ingress: grant.ingressAddress, why: messageOf(error) }
    deps.log.warn(facts, 'ingress gave no answer')
    return grant.revoked.aborted ? retry('revoked', false) : retry('unreachable', true)
  }
  const refusal = response.headers['berth-refusal']
  if (typeof refusal === 'string') {
    response.discard()
    if (refusal === 'stale_term') deps.session.outdated(grant.leaseId)
    release(LeaseOutcome.REFUSED)
    return retry(refusal, !PASSING_REFUSALS.has(refusal))
  }

  const openAnswer = () => caller.answer({ ...response, berth: grantHeaders(grant, use.attempt) })
  const end = await relay(response, caller, { clock: deps.clock, openAnswer })
  const trailer = end.kind === 'completed' ? response.trailers()['berth-usage'] : undefined
  const times = { sentAtMs, nowMs: deps.clock.now() }
  const measured = measure(use.request.job, end, { ...times, usage: readUsage(trailer) })
  switch (end.kind) {
    case 'completed':
      release(outcomeOf(response), measured)
      return over(use, measured, response.status >= 400 ? 'ENGINE_ERROR' : undefined)
    case 'gone':
      release(LeaseOutcome.CLIENT_GONE, measured)
      return over(use, measured, whyGone(caller))
    case 'broken': {
      const wasRevoked = grant.revoked.aborted
      release(end.hasAnswered ? LeaseOutcome.BROKEN : LeaseOutcome.UNREACHABLE, measured)
      if (!end.hasAnswered) return wasRevoked ? retry('revoked', false) : retry('broken', true)
      deps.log.warn({ pool: grant.poolId, why: messageOf(end.cause) }, 'answer broke off')
      caller.fail(brokenOff(grant))
      return over(use, measured, 'WORKER_RESET')
    }
  }
}

const hasLeft = ({ gone }: Caller): boolean => gone.aborted

/** Why nobody waits for the answer any more: the client left, or Berth gave up on it. */
export const whyGone = ({ gone }: Caller): Reason => {
  const reason = Error.isError(gone.reason)
    ? (gone.reason as Partial<BerthError>).reason
    : undefined
  return reason ?? 'CLIENT_CLOSED'
}

interface Measured {
  readonly tokensIn: number
  readonly tokensOut: number
  readonly firstTokenMs: number
  readonly decodeMs: number
}

const NOT_MEASURED: Measured = { tokensIn: 0, tokensOut: 0, firstTokenMs: 0, decodeMs: 0 }

/**
 * An answer that came to no usage, for whatever reason, counts as what was seen of it: the prompt
 * as estimated once the engine has begun to answer, and a token for each event, within its limit.
 */
const measure = (
  { promptTokens = 0, maxTokens = 0, answers = 1 }: JobFacts,
  { firstByteAtMs, events }: RelayEnd,
  { sentAtMs, nowMs, usage }: Readings,
): Measured => ({
  tokensIn: usage?.tokensIn ?? (events > 0 ? promptTokens : 0),
  tokensOut: usage?.tokensOut ?? Math.min(events, maxTokens * answers || events),
  firstTokenMs: firstByteAtMs === undefined ? 0 : firstByteAtMs - sentAtMs,
  decodeMs: firstByteAtMs === undefined ? 0 : nowMs - firstByteAtMs,
})

interface Readings {
  readonly sentAtMs: number
  readonly nowMs: number
  readonly usage: Usage | undefined
}

const outcomeOf = ({ status }: IngressResponse) =>
  status >= 400 ? LeaseOutcome.ENGINE_ERROR : LeaseOutcome.COMPLETED

const over = (use: LeaseUse, measured: Measured, reason?: string): LeaseEnd => ({
  kind: 'over',
  summary: {
    poolId: use.grant.poolId,
    queuedMs: use.grant.queuedMs,
    tokensIn: measured.tokensIn,
    tokensOut: measured.tokensOut,
    ...(measured.firstTokenMs > 0 ? { firstByteMs: measured.firstTokenMs } : {}),
    ...(reason === undefined ? {} : { reason }),
  },
})

const ingressHeaders = ({ grant, request }: LeaseUse): Record<string, string> => ({
  ...request.headers,
  'berth-lease': grant.token,
  ...(request.lacksSeed && grant.seed !== undefined ? { 'berth-seed': String(grant.seed) } : {}),
})

const brokenOff = (grant: Grant) =>
  new BerthError(
    'WORKER_RESET',
    `The engine of pool ${grant.poolId} broke off in the middle of its answer. Send the ` +
      'request again.',
    { facts: { pool_id: grant.poolId } },
  )
