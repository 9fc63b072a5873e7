import type { EngineLogs } from './engine-logs.ts'
import type { TrafficEntry } from './perform.ts'
import { reconcile } from './reconcile.ts'

/** A request that did not go as it should. */
export interface Mishap {
  readonly correlationId: string
  readonly code: string
  readonly gateway: string
  readonly pool: string | undefined
  readonly sentAtMs: number
  readonly endedAtMs: number
}

/** What a run of traffic came to. Every request sent is in exactly one of the first six. */
export interface TrafficReport {
  readonly sent: number
  /** Right to the byte. */
  readonly ok: number
  /** No answer, or an error instead of one. */
  readonly failed: readonly Mishap[]
  /** An error in the client's dialect in the middle of an answer. */
  readonly terminalErrors: readonly Mishap[]
  /** Ended in the middle without a terminal marker. */
  readonly truncated: readonly Mishap[]
  /** The engine did not say this. */
  readonly mismatched: readonly Mishap[]
  /** The client's own choice. */
  readonly left: number

  /** Of the `ok` ones: sent to more than one engine before the first byte. */
  readonly retriedInside: number
  /** Correlation ids that engines answered to the end more than once. */
  readonly duplicated: readonly string[]
  /** Answers that are right, and that no engine gave; judged where no engine log has a gap. */
  readonly unaccounted: readonly string[]
  /** Requests an engine still works on although their client has its answer or is gone. */
  readonly leaked: readonly string[]
  /** Requests that waited for a slot. */
  readonly queued: number
  /** Connections refused by one gateway and taken by the next. */
  readonly failedOver: number
  /** Of the `ok` ones: those that took more than `lateMs` longer than their tokens need. */
  readonly late: number
  readonly longestAddedWaitMs: number
  /** Percentiles of the added wait of the `ok` ones. */
  readonly p50Ms: number
  readonly p99Ms: number
  readonly entries: readonly TrafficEntry[]
}

/** The numbers of a report, for a table or a line of JSON. */
export type Figures = Readonly<Record<keyof Omit<TrafficReport, 'entries'>, number>>

/** Sums up a client log and the logs of the engines. */
export const reportOf = (
  entries: readonly TrafficEntry[],
  logs: EngineLogs,
  lateMs: number,
): TrafficReport => {
  const books = reconcile(entries, logs)
  const ok = entries.filter(({ verdict }) => verdict.kind === 'ok')
  const waits = ok.map(({ addedWaitMs }) => addedWaitMs ?? 0).sort((a, b) => a - b)
  return {
    sent: entries.length,
    ok: ok.length,
    failed: mishaps(entries, 'failed'),
    terminalErrors: mishaps(entries, 'terminal_error'),
    truncated: mishaps(entries, 'truncated'),
    mismatched: mishaps(entries, 'mismatched'),
    left: entries.filter(({ verdict }) => verdict.kind === 'left').length,
    ...books,
    queued: entries.filter(({ wasQueued }) => wasQueued).length,
    failedOver: entries.reduce((sum, entry) => sum + entry.failedOver, 0),
    late: waits.filter((ms) => ms > lateMs).length,
    longestAddedWaitMs: percentile(waits, 1),
    p50Ms: percentile(waits, 0.5),
    p99Ms: percentile(waits, 0.99),
    entries,
  }
}

/** Every list of a report as its length. */
export const figuresOf = ({ entries: _, ...report }: TrafficReport): Figures =>
  Object.fromEntries(
    Object.entries(report).map(([key, value]) => [
      key,
      typeof value === 'number' ? value : value.length,
    ]),
  ) as Figures

type MishapKind = 'failed' | 'terminal_error' | 'truncated' | 'mismatched'

const mishaps = (entries: readonly TrafficEntry[], kind: MishapKind): Mishap[] =>
  entries.flatMap(({ verdict, correlationId, gateway, pool, sentAtMs, endedAtMs }) =>
    verdict.kind === kind
      ? [{ correlationId, code: verdict.code, gateway, pool, sentAtMs, endedAtMs }]
      : [],
  )

const percentile = (sorted: readonly number[], share: number): number =>
  Math.round(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0)
