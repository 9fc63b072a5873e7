import { BerthError, randomUuid, sleep, unreachable, type Clock, type Rng } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { Caller } from './caller.ts'
import type { Ingress } from './ingress.ts'
import type { ExcludedPool, JobFacts, Session } from './session.ts'
import { useLease, whyGone, type Retry } from './use-lease.ts'

/** A request is tried on this many leases. Source: architecture, a request's way through. */
const MAX_ATTEMPTS = 3
/** Before a retry on a pool that was only short of a slot for a moment; doubles. */
const PAUSE_MS = 40

/** What dispatching goes through. */
export interface DispatchDeps {
  readonly session: Session
  readonly ingress: Ingress
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  onRetry(reason: string): void
}

/** One request of a client, read and checked. Times in milliseconds. */
export interface DispatchRequest {
  readonly job: JobFacts
  readonly maxWaitMs: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** The seed of a strict job is not in the body: the ingress has to put it there. */
  readonly lacksSeed?: boolean
  readonly arrivedAtMs: number
}

/** What is worth telling of a request when it is over. */
export interface DispatchSummary {
  readonly poolId?: string
  readonly queuedMs: number
  readonly retries: number
  readonly tokensIn: number
  readonly tokensOut: number
  readonly firstByteMs?: number
  readonly reason?: string
}

const NOTHING: DispatchSummary = { queuedMs: 0, retries: 0, tokensIn: 0, tokensOut: 0 }

/**
 * One request from its arrival to its last byte: acquire a lease, use it, release it exactly once;
 * again elsewhere while the caller has seen nothing of an answer.
 */
export const dispatch = async (
  deps: DispatchDeps,
  request: DispatchRequest,
  caller: Caller,
): Promise<DispatchSummary> => {
  const excluded: ExcludedPool[] = []
  let last: Retry | undefined
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const answer = await deps.session.acquire({
      jobId: randomUuid(deps.rng),
      job: request.job,
      arrivedAtMs: request.arrivedAtMs,
      maxWaitMs: request.maxWaitMs,
      excluded,
      attempt,
      signal: caller.gone,
      onQueued: (state) => caller.queued(state),
    })
    switch (answer.kind) {
      case 'cancelled':
        return { ...NOTHING, retries: attempt, reason: whyGone(caller) }
      case 'rejected':
        caller.fail(answer.error)
        return { ...NOTHING, retries: attempt, reason: answer.error.reason }
      case 'assigned': {
        const end = await useLease(deps, { request, grant: answer.grant, attempt }, caller)
        if (end.kind === 'over') return { ...end.summary, retries: attempt }
        last = end
        break
      }
      default:
        return unreachable(answer)
    }
    if (attempt + 1 === MAX_ATTEMPTS) break
    deps.onRetry(last.reason)
    deps.log.info(
      { correlationId: request.job.correlationId, pool: last.pool.poolId, reason: last.reason },
      'request is tried again',
    )
    if (last.isPoolBad) excluded.push(last.pool)
    else await sleep(deps.clock, PAUSE_MS * 2 ** attempt, caller.gone).catch(() => undefined)
  }
  const error = allFailed(last)
  caller.fail(error)
  return { ...NOTHING, retries: MAX_ATTEMPTS - 1, reason: error.reason }
}

const allFailed = (last: Retry | undefined) =>
  new BerthError(
    'POOL_UNAVAILABLE',
    `The request was tried ${MAX_ATTEMPTS} times and no pool took it; the last answer of pool ` +
      `${last?.pool.poolId} was ${last?.reason}. Send it again.`,
    { retryAfterMs: 1_000, facts: { pool_id: last?.pool.poolId ?? '' } },
  )
