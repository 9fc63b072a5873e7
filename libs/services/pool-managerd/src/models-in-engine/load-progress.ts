import type { MessageInitShape } from '@bufbuild/protobuf'
import { LoadPhase, type LoadProgressSchema } from '@berth/contract'
import type { CrashReport } from '@berth/supervision'
import type { PulledBytes } from './count-pull.ts'

/** How far the load of one model has come. Times are milliseconds on the clock that never jumps. */
export interface LoadState {
  readonly modelId: string
  readonly phase: 'download' | 'load'
  readonly startedAt: number
  readonly phaseAt: number
  /** Of its download, when there was one. */
  readonly bytes?: PulledBytes | undefined
  /** What was on disk when this download began: it says nothing of its speed. */
  readonly bytesBefore?: number | undefined
  /** How long the last load of this model took, without its download. */
  readonly usualLoadMs?: number | undefined
  readonly end?: { readonly at: number; readonly failure?: CrashReport } | undefined
}

/** What of the whole a download is, where there is one: loading is quick beside it. */
const DOWNLOAD_SHARE = 0.9
/** Nothing is done before it is. */
const ALMOST = 0.99

/** The load as messages show it. `wallOf`: Unix milliseconds of a time. */
export const loadMessage = (
  state: LoadState,
  now: number,
  wallOf: (at: number) => number,
): MessageInitShape<typeof LoadProgressSchema> => {
  const { bytes, end } = state
  const etaMs = end ? undefined : etaOf(state, now)
  return {
    modelId: state.modelId,
    progressPercent: percentOf(state, now),
    phase: phaseOf(state),
    isProgressKnown: bytes !== undefined && bytes.bytesDone <= bytes.bytesTotal,
    startedAtMs: BigInt(Math.round(wallOf(state.startedAt))),
    ...(bytes
      ? { bytesDownloaded: BigInt(bytes.bytesDone), totalBytes: BigInt(bytes.bytesTotal) }
      : {}),
    ...(end ? { completedAtMs: BigInt(Math.round(wallOf(end.at))) } : {}),
    ...(etaMs === undefined ? {} : { etaMs: BigInt(Math.round(etaMs)) }),
    errorReason: end?.failure?.kind ?? '',
    errorMessage: end?.failure?.message ?? '',
  }
}

const phaseOf = ({ phase, end }: LoadState): LoadPhase => {
  if (end) return end.failure ? LoadPhase.FAILED : LoadPhase.READY
  return phase === 'download' ? LoadPhase.DOWNLOAD : LoadPhase.WEIGHTS
}

/** 0 to 100, over download and load. */
const percentOf = (state: LoadState, now: number): number => {
  const { bytes, phase, end } = state
  if (end && !end.failure) return 100
  const downloaded = bytes && bytes.bytesTotal > 0 ? bytes.bytesDone / bytes.bytesTotal : 0
  if (phase === 'download') return 100 * DOWNLOAD_SHARE * downloaded
  const share = bytes ? DOWNLOAD_SHARE : 0
  return 100 * (share + (1 - share) * loadedOf(state, end?.at ?? now))
}

/** As long as the last one took: an engine that loads says nothing of how far it is. */
const loadedOf = ({ phaseAt, usualLoadMs }: LoadState, at: number): number =>
  usualLoadMs === undefined ? 0 : Math.min(ALMOST, (at - phaseAt) / Math.max(1, usualLoadMs))

const etaOf = (state: LoadState, now: number): number | undefined => {
  const { phase, phaseAt, bytes, bytesBefore = 0, usualLoadMs } = state
  if (phase === 'load')
    return usualLoadMs === undefined ? undefined : Math.max(0, phaseAt + usualLoadMs - now)
  const gained = (bytes?.bytesDone ?? 0) - bytesBefore
  if (!bytes || gained <= 0) return undefined
  const left = bytes.bytesTotal - bytes.bytesDone
  return (left * (now - phaseAt)) / gained + (usualLoadMs ?? 0)
}
