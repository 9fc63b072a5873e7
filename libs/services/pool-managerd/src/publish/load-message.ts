import { create } from '@bufbuild/protobuf'
import { LoadPhase, LoadProgressSchema, type LoadProgress as LoadMessage } from '@berth/contract'
import type { LoadProgress } from '@berth/supervision'

const PHASE = {
  download: LoadPhase.DOWNLOAD,
  load: LoadPhase.WEIGHTS,
  compile: LoadPhase.COMPILE,
  warm: LoadPhase.GRAPHS,
  ready: LoadPhase.READY,
  failed: LoadPhase.FAILED,
} as const satisfies Record<LoadProgress['phase'], LoadPhase>

/** The progress of a load as snapshots, operations and events carry it. */
export const loadMessage = (progress: LoadProgress): LoadMessage => {
  const { bytesDone, bytesTotal, completedAtMs, etaMs, failure } = progress
  return create(LoadProgressSchema, {
    modelId: progress.modelId,
    progressPercent: Math.round(progress.percent * 10) / 10,
    ...(bytesDone === undefined ? {} : { bytesDownloaded: whole(bytesDone) }),
    ...(bytesTotal === undefined ? {} : { totalBytes: whole(bytesTotal) }),
    phase: PHASE[progress.phase],
    isProgressKnown: progress.isKnown,
    startedAtMs: whole(progress.startedAtMs),
    ...(completedAtMs === undefined ? {} : { completedAtMs: whole(completedAtMs) }),
    ...(etaMs === undefined ? {} : { etaMs: whole(etaMs) }),
    errorReason: failure?.reason ?? '',
    errorMessage: failure?.message ?? '',
  })
}

const whole = (value: number): bigint => BigInt(Math.round(value))
