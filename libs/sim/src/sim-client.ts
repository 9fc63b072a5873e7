import { sleep, type BerthError, type Cancel, type Clock } from '@berth/kernel'
import type { AnswerHead, Caller } from '@berth/orchestratord'
import type { SimJob } from './workload.ts'

/** How a request ended for its client. */
export type ClientEnd =
  | { readonly kind: 'completed' }
  | { readonly kind: 'engine_error'; readonly status: number }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'left' }
  /** Its gateway died. */
  | { readonly kind: 'cut' }

/** Whoever sent a job: reads the answer piece by piece and notes how it ended, once. */
export interface SimClient {
  readonly job: SimJob
  readonly caller: Caller
  readonly end: ClientEnd | undefined
  /** The connection to the gateway broke, or there was none. */
  cut(): void
}

export interface SimClientOptions {
  readonly job: SimJob
  /** Of the world: clients outlive gateways. */
  readonly clock: Clock
  violate(what: string): void
  onEnd(end: ClientEnd): void
}

export const createSimClient = ({ job, clock, violate, onEnd }: SimClientOptions): SimClient => {
  const gone = new AbortController()
  let end: ClientEnd | undefined
  let head: AnswerHead | undefined
  let got = ''
  let stopLeaving: Cancel = () => undefined

  const finish = (next: ClientEnd) => {
    if (end) {
      // What crosses the client's leaving on its way is no second outcome.
      if (end.kind === 'left' || end.kind === 'cut') return
      return violate(`${job.jobId} ended as ${end.kind} and again as ${next.kind}`)
    }
    end = next
    stopLeaving()
    onEnd(next)
  }
  const cut = () => {
    if (!end) finish({ kind: 'cut' })
  }
  if (job.leavesAfterMs !== undefined)
    stopLeaving = clock.after(job.leavesAfterMs, () => {
      finish({ kind: 'left' })
      gone.abort(new Error('the client left'))
    })
  return {
    job,
    cut,
    get end() {
      return end
    },
    caller: {
      gone: gone.signal,
      queued: () => undefined,
      started: () => undefined,
      answer: (given) => {
        if (head) violate(`${job.jobId} was answered twice`)
        head = given
      },
      write: (chunk) => {
        // A dead gateway goes no further.
        if (end?.kind === 'cut') return new Promise(() => undefined)
        if (end && end.kind !== 'left') violate(`${job.jobId} was written to after its end`)
        got += new TextDecoder().decode(chunk)
        return job.readMs > 0 ? sleep(clock, job.readMs, gone.signal) : undefined
      },
      end: () => {
        const status = head?.status ?? 0
        if (status !== 200) return finish({ kind: 'engine_error', status })
        if (got !== textOf(job)) violate(`${job.jobId} was told complete with ${got.length} bytes`)
        finish({ kind: 'completed' })
      },
      fail: (error: BerthError) => finish({ kind: 'failed', reason: error.reason }),
    },
  }
}

const textOf = ({ pieces }: SimJob) =>
  Array.from({ length: pieces }, (_, index) => `data: ${index}\n\n`).join('')
