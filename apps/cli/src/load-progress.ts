import type { Clock } from '@berth/kernel'
import { byteText } from './byte-text.ts'
import type { OperationDetail } from './pools-client.ts'
import { operationLine } from './pools-text.ts'
import { formatDuration } from './status-line.ts'
import type { Terminal } from './terminal.ts'

/** Bytes are counted over the last seconds: a rate that is all of the past tells nothing of now. */
const RATE_OVER_MS = 5_000
const BAR_CELLS = 24

interface Sample {
  readonly atMs: number
  readonly bytes: number
}

/** Tells on one line how far an operation has come: a bar, bytes, rate and what is left. */
export const tellProgress = (clock: Clock, terminal: Terminal) => {
  let samples: readonly Sample[] = []
  return (now: OperationDetail): void => {
    const bytes = now.load?.bytes_downloaded
    if (bytes !== null && bytes !== undefined) {
      const atMs = clock.now()
      samples = [...samples.filter((sample) => sample.atMs >= atMs - RATE_OVER_MS), { atMs, bytes }]
    }
    terminal.live(`  ${progressLine(now, rateOf(samples))}`, keyOf(now))
  }
}

/** One line about an operation that has a load; `rate` in bytes a second, 0 when not known. */
export const progressLine = (operation: OperationDetail, rate = 0): string => {
  const { load } = operation
  if (!load) return operationLine(operation)
  const { bytes_downloaded: done, total_bytes: total } = load
  const percent = Math.min(100, Math.max(0, load.progress_percent))
  const isFetching = load.status === 'download' && done !== null
  const etaMs = load.eta_ms ?? etaOf(done, total, isFetching ? rate : 0)
  return [
    `${load.status.padEnd(8)} ${bar(percent)} ${String(Math.floor(percent)).padStart(3)} %`,
    ...(isFetching
      ? [total === null ? byteText(done) : `${byteText(done)} of ${byteText(total)}`]
      : []),
    ...(isFetching && rate > 0 ? [`${byteText(Math.round(rate))}/s`] : []),
    ...(etaMs === undefined ? [] : [`${formatDuration(etaMs)} left`]),
  ].join('  ')
}

/** Where nothing can be rewritten, a line for each tenth of a phase. */
const keyOf = ({ load, operation_type: type, step, status }: OperationDetail): string =>
  load
    ? `${type} ${load.status} ${Math.floor(load.progress_percent / 10)}`
    : `${type} ${step ?? status}`

const rateOf = (samples: readonly Sample[]): number => {
  const first = samples[0]
  const last = samples.at(-1)
  if (!first || !last || last.atMs <= first.atMs) return 0
  return Math.max(0, ((last.bytes - first.bytes) * 1_000) / (last.atMs - first.atMs))
}

const etaOf = (done: number | null, total: number | null, rate: number): number | undefined =>
  done === null || total === null || rate === 0 ? undefined : ((total - done) / rate) * 1_000

const bar = (percent: number): string => {
  const full = Math.round((percent / 100) * BAR_CELLS)
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_CELLS - full)}]`
}
