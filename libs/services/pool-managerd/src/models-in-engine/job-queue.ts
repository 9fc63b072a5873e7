import { BerthError, messageOf, type Clock } from '@berth/kernel'
import { failureOf, type JobFailure, type ModelJob } from './model-job.ts'
import { openJob, type OpenJob } from './open-job.ts'

/** The changes of the models of one engine, one at a time, in the order in which they were asked. */
export interface JobQueue {
  readonly current: OpenJob | undefined
  /** Throws `POOL_BUSY` when too many wait. */
  begin(
    what: Pick<ModelJob, 'kind' | 'name'>,
    run: (job: OpenJob) => Promise<JobFailure | undefined>,
  ): ModelJob
  /** The job that goes on, or waits, for this. */
  find(kind: ModelJob['kind'], name: string): ModelJob | undefined
  /** All of them. */
  cancel(): void
}

const JOBS_MAX = 16

export const createJobQueue = (on: {
  readonly clock: Clock
  readonly poolId: string
  readonly onChange: (job: ModelJob) => void
  /** After each job, before the next. */
  readonly onEnd: () => void
}): JobQueue => {
  const { clock, poolId } = on
  const jobs: { readonly job: OpenJob; readonly go: () => void }[] = []
  const end = (failure: JobFailure | undefined) => {
    const ended = jobs.shift()
    on.onEnd()
    ended?.job.end(failure)
    jobs[0]?.go()
  }
  return {
    get current() {
      return jobs[0]?.job
    },
    begin: (what, run) => {
      if (jobs.length >= JOBS_MAX)
        throw new BerthError('POOL_BUSY', `Pool ${poolId} has too many changes waiting.`)
      const job: OpenJob = openJob(what, clock, () => on.onChange(job))
      const go = () =>
        void run(job)
          .catch((error: unknown) => failureOf(messageOf(error)))
          .then(end)
      jobs.push({ job, go })
      if (jobs.length === 1) go()
      return job
    },
    find: (kind, name) => jobs.find(({ job }) => job.kind === kind && job.name === name)?.job,
    cancel: () => {
      for (const { job } of jobs) job.cancel()
    },
  }
}
