import type { Clock } from '@berth/kernel'
import type { CrashReport } from '@berth/supervision'
import { beginLoad, type Loading } from '../pool/loading.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import type { LoadTimes } from '../state/load-times.ts'
import type { PulledBytes } from './count-pull.ts'
import type { WantedModel } from './kept-model.ts'
import type { OpenJob } from './open-job.ts'

/** Who follows one load. */
export interface LoadWatch {
  readonly loading: Loading | undefined
  onPhase(phase: 'download' | 'load'): void
  onBytes(bytes: PulledBytes): void
  end(report: CrashReport | undefined): void
}

/** Of a load that brings nothing: what is there stays. */
export const UNWATCHED: LoadWatch = {
  loading: undefined,
  onPhase: () => undefined,
  onBytes: () => undefined,
  end: () => undefined,
}

/** Tells a job how far the load of a model has come, as the start of an engine is told. */
export const watchLoad = (
  job: Pick<OpenJob, 'tell' | 'step'>,
  spec: PoolSpec,
  { modelId, modelRef }: WantedModel,
  on: { readonly clock: Clock; readonly times?: LoadTimes | undefined },
): LoadWatch => {
  const { clock } = on
  // Into an engine that others run, models are loaded all the same.
  const policy = { ...spec.policy, hasProcess: true }
  const loading = beginLoad(
    { ...spec, policy, modelRef, engine: { ...spec.engine, modelId } },
    'load',
    on,
  )
  const tell = (step: string) => job.tell(step, loading && (() => loading.progress()))
  return {
    loading,
    onPhase: (phase) => {
      loading?.goOn({ phase, step: undefined })
      tell(phase)
    },
    onBytes: (bytes) => {
      const at = clock.now()
      const step = { phase: 'download', ...bytes, phaseAt: at, advancedAt: at } as const
      loading?.goOn({ phase: 'download', step })
      tell('download')
    },
    end: (report) => {
      const last = loading?.end(report && { reason: report.kind, message: report.message })
      job.tell(job.step, last && (() => last))
    },
  }
}
