import type { Job } from './job.ts'

/** Finds out late that clients are gone, as llama.cpp does for requests that write nothing. */
export interface Silence {
  watch(job: Job): void
  /** A result of any request restarts the wait of all of them. */
  broken(): void
}

/**
 * llama.cpp looks for a gone client only after a whole poll interval (1 s) in which no request at
 * all produced anything. A job that waits for a slot or is not streamed is found so.
 */
export const createSilence = (pollMs: () => number): Silence => {
  const gone = new Set<Job>()
  let lastResultMs = 0
  let timer: NodeJS.Timeout | undefined
  const dueAtMs = (job: Job): number => {
    const since = Math.max(job.arrivedAtMs, lastResultMs)
    return since + pollMs()
  }
  const look = () => {
    const now = performance.now()
    for (const job of gone) {
      if (dueAtMs(job) > now) continue
      gone.delete(job)
      job.abort()
    }
    arm()
  }
  const arm = () => {
    clearTimeout(timer)
    if (gone.size === 0) return
    const next = Math.min(...[...gone].map(dueAtMs))
    timer = setTimeout(look, Math.max(1, next - performance.now()))
    timer.unref()
  }
  return {
    watch: (job) => {
      gone.add(job)
      job.signal.addEventListener('abort', () => gone.delete(job), { once: true })
      arm()
    },
    broken: () => {
      lastResultMs = performance.now()
    },
  }
}
