import {
  LoadPhase,
  LoadPhaseSchema,
  PoolState,
  type LoadProgress,
  type Pool,
} from '@berth/contract'
import { word } from './word.ts'

/**
 * How far a model has come, in the names of the progress stream. `null` is what nobody knows: a
 * percentage is an estimate unless `is_progress_known`.
 */
export const loadProgressJson = (load: LoadProgress) => ({
  model_id: load.modelId || null,
  status: word(LoadPhaseSchema, load.phase),
  progress_percent: toTenth(load.progressPercent),
  bytes_downloaded: count(load.bytesDownloaded),
  total_bytes: count(load.totalBytes),
  is_progress_known: load.isProgressKnown,
  eta_ms: count(load.etaMs),
  started_at: time(load.startedAtMs),
  completed_at: load.completedAtMs === undefined ? null : time(load.completedAtMs),
  error_details:
    load.phase === LoadPhase.FAILED
      ? { reason: load.errorReason || null, message: load.errorMessage }
      : null,
})

/** What a pool is loading, `null` when it loads nothing. */
export const loadingJson = (pool: Pool) => {
  const { loading, currentOperation: operation } = pool
  if (loading) {
    const progress = loadProgressJson(loading)
    return { ...progress, percent_complete: progress.progress_percent }
  }
  if (!STARTS.has(pool.state)) return null
  return {
    model_id: operation?.modelId || pool.models[0]?.modelId || null,
    // An engine that only starts says nothing of its progress.
    percent_complete: operation ? operation.progressPercent : null,
    eta_ms: count(operation?.etaMs),
    started_at: time(pool.stateSinceMs),
  }
}

/** States on the way to an engine that serves. */
export const STARTS: ReadonlySet<PoolState> = new Set([PoolState.PREPARING, PoolState.STARTING])

const toTenth = (value: number) => Math.round(value * 10) / 10
const count = (value: bigint | undefined) => (value === undefined ? null : Number(value))
const time = (ms: bigint) => new Date(Number(ms)).toISOString()
