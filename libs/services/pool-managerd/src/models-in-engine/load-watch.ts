import type { Clock } from '@berth/kernel'
import type { CrashReport } from '@berth/supervision'
import type { PulledBytes } from './count-pull.ts'
import { loadMessage, type LoadState } from './load-progress.ts'
import type { LoadMessage } from './model-job.ts'
import type { OpenJob } from './open-job.ts'

/** One load as it goes on, told to its job. */
export interface LoadWatch {
  readonly state: LoadState
  readonly message: LoadMessage
  phase(phase: LoadState['phase']): void
  bytes(bytes: PulledBytes): void
  end(failure: CrashReport | undefined): void
}

export const watchLoad = (
  job: Pick<OpenJob, 'tell'>,
  modelId: string,
  { clock, usualLoadMs }: { readonly clock: Clock; readonly usualLoadMs: number | undefined },
): LoadWatch => {
  const startedAt = clock.now()
  let state: LoadState = { modelId, phase: 'load', startedAt, phaseAt: startedAt, usualLoadMs }
  const message = () => {
    const now = clock.now()
    return loadMessage(state, now, (at) => clock.wall() - (now - at))
  }
  const tell = (change: Partial<LoadState>) => {
    state = { ...state, ...change }
    job.tell(state.phase, message)
  }
  return {
    get state() {
      return state
    },
    get message() {
      return message()
    },
    phase: (phase) => tell({ phase, phaseAt: clock.now() }),
    bytes: (bytes) => tell({ bytes, bytesBefore: state.bytesBefore ?? bytes.bytesDone }),
    end: (failure) => tell({ end: { at: clock.now(), ...(failure ? { failure } : {}) } }),
  }
}
