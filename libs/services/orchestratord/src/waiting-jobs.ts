import { BerthError, type Cancel, type Clock } from '@berth/kernel'
import type { AcquireAnswer, AcquireRequest } from './session.ts'

/** Core ends a wait at its time; this much later the gateway does it by itself. */
const BACKSTOP_MS = 5_000
/** A new leader is there within 3 s of the end of the old one. */
const CORE_RETRY_AFTER_MS = 3_000

interface WaitingJob {
  readonly request: AcquireRequest
  /** Running only while there is no session. */
  stopCoreWait: Cancel
  finish(answer: AcquireAnswer): void
}

export interface WaitingJobsOptions {
  readonly addresses: readonly string[]
  readonly coreWaitMs: number
  readonly maxWaiting: number
  readonly clock: Clock
  /** Tells core, when there is one, that nobody waits for this job any more. */
  cancel(jobId: string): void
}

export type WaitingJobs = ReturnType<typeof createWaitingJobs>

/** The requests that wait for a slot. Each leaves with exactly one answer. */
export const createWaitingJobs = (options: WaitingJobsOptions) => {
  const { clock, addresses } = options
  const jobs = new Map<string, WaitingJob>()

  const settle = (jobId: string, answer: AcquireAnswer) => jobs.get(jobId)?.finish(answer)
  const giveUp = (jobId: string, answer: AcquireAnswer) => {
    options.cancel(jobId)
    settle(jobId, answer)
  }
  const waitForCore = ({ request }: WaitingJob) =>
    clock.after(Math.min(options.coreWaitMs, request.maxWaitMs), () =>
      settle(request.jobId, { kind: 'rejected', error: noCore(addresses, options.coreWaitMs) }),
    )
  const add = (request: AcquireRequest, isUp: boolean, send: () => void) => {
    if (request.signal.aborted) return Promise.resolve<AcquireAnswer>({ kind: 'cancelled' })
    if (jobs.size >= options.maxWaiting) {
      const error = tooMany(options.maxWaiting)
      return Promise.resolve<AcquireAnswer>({ kind: 'rejected', error })
    }
    return new Promise<AcquireAnswer>((resolve) => {
      const { jobId, signal, maxWaitMs, arrivedAtMs } = request
      const onAbort = () => giveUp(jobId, { kind: 'cancelled' })
      const leftMs = maxWaitMs + BACKSTOP_MS - (clock.now() - arrivedAtMs)
      const stopBackstop = clock.after(leftMs, () =>
        giveUp(jobId, { kind: 'rejected', error: waitedTooLong(maxWaitMs) }),
      )
      const job: WaitingJob = {
        request,
        stopCoreWait: () => undefined,
        finish: (answer) => {
          jobs.delete(jobId)
          stopBackstop()
          job.stopCoreWait()
          signal.removeEventListener('abort', onAbort)
          resolve(answer)
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      jobs.set(jobId, job)
      if (isUp) send()
      else job.stopCoreWait = waitForCore(job)
    })
  }

  return {
    get size() {
      return jobs.size
    },
    request: (jobId: string) => jobs.get(jobId)?.request,
    add,
    settle,
    /** The jobs to submit to the core that is up now, in the order in which they arrived. */
    onUp: (): AcquireRequest[] => {
      for (const job of jobs.values()) job.stopCoreWait()
      return [...jobs.values()]
        .map(({ request }) => request)
        .sort((a, b) => a.arrivedAtMs - b.arrivedAtMs)
    },
    onDown: () => {
      for (const job of jobs.values()) job.stopCoreWait = waitForCore(job)
    },
    close: () => {
      for (const jobId of jobs.keys()) giveUp(jobId, { kind: 'rejected', error: stopping() })
    },
  }
}

const noCore = (addresses: readonly string[], waitedMs: number) =>
  new BerthError(
    'CONTROL_PLANE_UNAVAILABLE',
    `No placement service answered within ${waitedMs} ms at ${addresses.join(', ')}. ` +
      'The gateway keeps trying; send the request again.',
    { retryAfterMs: CORE_RETRY_AFTER_MS },
  )

const tooMany = (max: number) =>
  new BerthError(
    'REPLICA_EXHAUSTED',
    `${max} requests wait in this gateway already, its limit. Send the request again later.`,
    { retryAfterMs: 1_000 },
  )

const waitedTooLong = (maxWaitMs: number) =>
  new BerthError('QUEUE_TIMEOUT', `No slot came free within ${maxWaitMs} ms.`, {
    retryAfterMs: 1_000,
  })

const stopping = () =>
  new BerthError('CONTROL_PLANE_UNAVAILABLE', 'This gateway is stopping. Send the request again.', {
    retryAfterMs: 1_000,
  })
