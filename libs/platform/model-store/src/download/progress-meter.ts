import type { Cancel, Clock } from '@berth/kernel'
import type { FetchProgress } from '../model-store.ts'

/** At most two reports a second. */
const MIN_GAP_MS = 500

/** Adds up the bytes of the files of one model. */
export interface ProgressMeter {
  /** A file has so many bytes now. */
  set(file: string, bytes: number, step: string): void
  /** Reports where it stands, whatever was reported before. */
  flush(step: string): void
  /** Reports nothing more. */
  stop(): void
}

/** Reports sums at most twice a second. `totalBytes` is asked at each report. */
export const createProgressMeter = (
  clock: Clock,
  totalBytes: () => number | undefined,
  emit: (progress: FetchProgress) => void,
): ProgressMeter => {
  const bytesOf = new Map<string, number>()
  let bytesDone = 0
  let reportedAtMs = Number.NEGATIVE_INFINITY
  let pending: Cancel | undefined
  const report = (step: string) => {
    pending?.()
    pending = undefined
    reportedAtMs = clock.now()
    const bytesTotal = totalBytes()
    emit({ bytesDone, step, ...(bytesTotal === undefined ? {} : { bytesTotal }) })
  }
  return {
    set: (file, bytes, step) => {
      bytesDone += bytes - (bytesOf.get(file) ?? 0)
      bytesOf.set(file, bytes)
      const waitMs = reportedAtMs + MIN_GAP_MS - clock.now()
      if (waitMs <= 0) report(step)
      // Where a source falls silent, what came before it is told all the same.
      else pending ??= clock.after(waitMs, () => report(step))
    },
    flush: report,
    stop: () => pending?.(),
  }
}
