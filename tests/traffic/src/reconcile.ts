import { isBusy, type EngineLogs, type EngineRecord } from './engine-logs.ts'
import type { TrafficEntry } from './perform.ts'

/** Where the client's log and the engines' do not agree, by correlation id. */
export interface Books {
  readonly retriedInside: number
  readonly duplicated: readonly string[]
  readonly unaccounted: readonly string[]
  readonly leaked: readonly string[]
}

/** Lays the client's log beside the engines'. Without engine logs only headers speak. */
export const reconcile = (entries: readonly TrafficEntry[], logs: EngineLogs): Books => {
  const byId = Map.groupBy(logs.records, ({ correlation_id }) => correlation_id ?? '')
  const recordsOf = ({ correlationId }: TrafficEntry) => byId.get(correlationId) ?? []
  const idsWhere = (holds: (entry: TrafficEntry, records: readonly EngineRecord[]) => boolean) =>
    entries.filter((entry) => holds(entry, recordsOf(entry))).map((entry) => entry.correlationId)
  const canMiss = logs.hasGaps || logs.records.length === 0

  return {
    retriedInside: entries.filter(
      (entry) =>
        entry.verdict.kind === 'ok' && (entry.verdict.retries > 0 || recordsOf(entry).length > 1),
    ).length,
    duplicated: idsWhere((_, records) => records.filter(isDone).length > 1),
    unaccounted: canMiss
      ? []
      : idsWhere(({ verdict }, records) => verdict.kind === 'ok' && !records.some(isDone)),
    leaked: idsWhere((_, records) => records.some(isBusy)),
  }
}

const isDone = ({ outcome, tokens_sent, tokens_planned }: EngineRecord) =>
  outcome === 'done' && tokens_sent === tokens_planned
