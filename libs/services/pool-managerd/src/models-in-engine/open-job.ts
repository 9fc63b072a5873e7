import type { Clock } from '@berth/kernel'
import type { LoadProgress } from '@berth/supervision'
import type { JobFailure, ModelJob } from './model-job.ts'

/** A job as the one who carries it out holds it. */
export interface OpenJob extends ModelJob {
  readonly signal: AbortSignal
  tell(step: string, progress?: () => LoadProgress): void
  end(failure: JobFailure | undefined): void
}

/** Progress is told twice a second. */
const BETWEEN_MS = 500

export const openJob = (
  { kind, name }: Pick<ModelJob, 'kind' | 'name'>,
  clock: Clock,
  onChange: () => void,
): OpenJob => {
  const listeners = new Set<() => void>([onChange])
  const ended = Promise.withResolvers<JobFailure | undefined>()
  const abort = new AbortController()
  let step = 'wait'
  let progress: (() => LoadProgress) | undefined
  let told = -Infinity
  let isOver = false
  let cancelLater: (() => void) | undefined
  const show = () => {
    cancelLater?.()
    cancelLater = undefined
    told = clock.now()
    for (const fn of [...listeners]) fn()
  }
  return {
    ...{ kind, name },
    get step() {
      return step
    },
    get progress() {
      return progress?.()
    },
    signal: abort.signal,
    ended: ended.promise,
    onChange: (fn) => void listeners.add(fn),
    cancel: () => abort.abort(),
    tell: (next, how) => {
      if (isOver) return
      const isNews = next !== step
      step = next
      progress = how ?? progress
      if (isNews || clock.now() - told >= BETWEEN_MS) show()
      else cancelLater ??= clock.after(BETWEEN_MS, show)
    },
    end: (failure) => {
      if (isOver) return
      isOver = true
      show()
      ended.resolve(failure)
      listeners.clear()
    },
  }
}
