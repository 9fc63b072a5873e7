import type { MessageInitShape } from '@bufbuild/protobuf'
import { LoadPhase, type LoadProgressSchema } from '@berth/contract'
import type { FetchProgress } from '@berth/model-store'

/** What became of a download that has ended. */
export interface FetchEnd {
  readonly atMs: number
  readonly failure?: { readonly reason: string; readonly message: string }
}

/** A download that leads to no engine yet, as operations show it. */
export const fetchMessage = (
  modelId: string,
  startedAtMs: number,
  { bytesDone, bytesTotal }: Omit<FetchProgress, 'step'>,
  end?: FetchEnd,
): MessageInitShape<typeof LoadProgressSchema> => ({
  modelId,
  progressPercent: end && !end.failure ? 100 : percentOf(bytesDone, bytesTotal),
  bytesDownloaded: BigInt(Math.round(bytesDone)),
  ...(bytesTotal === undefined ? {} : { totalBytes: BigInt(Math.round(bytesTotal)) }),
  phase: end ? (end.failure ? LoadPhase.FAILED : LoadPhase.READY) : LoadPhase.DOWNLOAD,
  isProgressKnown: bytesTotal !== undefined && bytesDone <= bytesTotal,
  startedAtMs: BigInt(Math.round(startedAtMs)),
  ...(end ? { completedAtMs: BigInt(Math.round(end.atMs)) } : {}),
  errorReason: end?.failure?.reason ?? '',
  errorMessage: end?.failure?.message ?? '',
})

const percentOf = (done: number, total: number | undefined): number =>
  total === undefined || total <= 0 ? 0 : Math.min(100, (100 * done) / total)
