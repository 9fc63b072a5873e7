import type { Clock } from '@berth/kernel'
import {
  forecastLoad,
  loadGoesOn,
  loadHasFailed,
  loadIsReady,
  type LoadPhase,
  type LoadProgress,
  type LoadStep,
  type PhaseTimes,
} from '@berth/supervision'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import type { LoadTimes } from '../state/load-times.ts'

/** One load, from its first sign to its end. */
export interface Loading {
  readonly modelRef: string
  progress(): LoadProgress
  /** Phase and figures as the pool shows them now. */
  goOn(seen: { readonly phase: LoadPhase | undefined; readonly step: LoadStep | undefined }): void
  /** Without a failure it is ready, and what it took is learned. */
  end(failure?: { readonly reason: string; readonly message: string }): LoadProgress
}

/** `undefined` for an engine without a model: there is nothing to load. */
export const beginLoad = (
  spec: PoolSpec,
  first: LoadPhase,
  { clock, times }: { readonly clock: Clock; readonly times?: LoadTimes | undefined },
): Loading | undefined => {
  const { modelId } = spec.engine
  if (modelId === undefined || !spec.policy.hasProcess) return undefined
  const startedAtMs = clock.wall()
  const earlier = times?.find(spec)
  let took: PhaseTimes = {}
  let phase = first
  let phaseAt = clock.now()
  let step: LoadStep | undefined
  let fromPercent: number | undefined
  let percent = 0

  const percentOfPhase = () => (step?.phase === phase ? percentOf(step) : undefined)
  const closePhase = () => {
    took = { ...took, [phase]: (took[phase] ?? 0) + clock.now() - phaseAt }
    phaseAt = clock.now()
    fromPercent = undefined
  }
  const progress = () => {
    const forecast = forecastLoad(
      {
        ...{ phase, percent: percentOfPhase(), fromPercent: fromPercent ?? 0 },
        elapsedMs: clock.now() - phaseAt,
        isFetched: phase === 'download' || took.download !== undefined,
      },
      earlier,
    )
    // An estimate that turns out too high is waited for.
    percent = Math.max(percent, forecast.percent)
    return loadGoesOn({
      modelId,
      phase,
      percent,
      startedAtMs,
      ...etaOf(forecast),
      ...bytesOf(step),
    })
  }
  const endedAtMs = () => Math.max(startedAtMs, clock.wall())
  return {
    modelRef: spec.modelRef,
    progress,
    goOn: (seen) => {
      // What was fetched is told on while the engine loads it.
      if (seen.step) step = { ...bytesOf(step), ...seen.step }
      if (seen.phase !== undefined && seen.phase !== phase) {
        closePhase()
        phase = seen.phase
      }
      fromPercent ??= percentOfPhase()
    },
    end: (failure) => {
      const so = progress()
      closePhase()
      if (failure) return loadHasFailed(so, endedAtMs(), failure)
      times?.learn(spec, took)
      return loadIsReady(so, endedAtMs())
    },
  }
}

const percentOf = ({ percent, bytesDone, bytesTotal }: LoadStep): number | undefined => {
  if (percent !== undefined) return percent
  const isKnown = bytesDone !== undefined && bytesTotal !== undefined && bytesTotal > 0
  return isKnown ? Math.min(100, (100 * bytesDone) / bytesTotal) : undefined
}

const etaOf = ({ etaMs }: { readonly etaMs?: number }) => (etaMs === undefined ? {} : { etaMs })

const bytesOf = (step: LoadStep | undefined) => ({
  ...(step?.bytesDone === undefined ? {} : { bytesDone: step.bytesDone }),
  ...(step?.bytesTotal === undefined ? {} : { bytesTotal: step.bytesTotal }),
})
