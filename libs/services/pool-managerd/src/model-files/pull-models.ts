import { OperationType, type Operation } from '@berth/contract'
import { BerthError, type Clock } from '@berth/kernel'
import type { EnsureOptions, FetchProgress, ModelStore } from '@berth/model-store'
import { loadGoesOn, loadHasFailed, loadIsReady, type LoadProgress } from '@berth/supervision'
import type { Operations } from '../commands/operations.ts'
import { loadMessage } from '../publish/load-message.ts'

export interface PullOptions {
  readonly hostId: string
  readonly store: ModelStore
  readonly operations: Operations
  readonly clock: Clock
}

export interface WantedPull extends Pick<EnsureOptions, 'want' | 'digest'> {
  readonly modelRef: string
  readonly modelId: string
  readonly term: number
  readonly idempotencyKey: string
  readonly correlationId: string
}

/** Downloads that no pool waits for. Disposing gives them up; what is there stays. */
export interface Pulls extends Disposable {
  /** Answers at once. Who asks again while it goes on is told of the same operation. */
  begin(wanted: WantedPull): Operation
  /** True when there was one. Resolves when it has ended. */
  cancel(modelRef: string): Promise<boolean>
}

const NOTHING: FetchProgress = { bytesDone: 0, step: 'asking the source' }

export const createPulls = (options: PullOptions): Pulls => {
  const { operations, hostId } = options
  const running = new Map<
    string,
    { readonly operationId: string; readonly abort: AbortController; readonly ended: Promise<void> }
  >()

  const begin = (wanted: WantedPull): Operation => {
    const { modelRef, modelId, term, idempotencyKey, correlationId } = wanted
    const current = running.get(modelRef)
    if (current) return operations.get(current.operationId)
    const { operationId } = operations.begin({
      ...{ type: OperationType.PULL, poolId: '', hostId, modelId, modelRef },
      ...{ term, idempotencyKey, correlationId },
    })
    const abort = new AbortController()
    const ended = carryOut(operationId, wanted, abort.signal, options).finally(() =>
      running.delete(modelRef),
    )
    running.set(modelRef, { operationId, abort, ended })
    return operations.get(operationId)
  }
  return {
    begin,
    cancel: async (modelRef) => {
      const current = running.get(modelRef)
      current?.abort.abort(new BerthError('CANCELLED', `The pull of ${modelRef} was cancelled.`))
      await current?.ended
      return current !== undefined
    },
    [Symbol.dispose]: () => {
      for (const { abort } of running.values())
        abort.abort(new BerthError('CANCELLED', 'The agent ends.'))
    },
  }
}

/** Brings the files here, and ends the operation with what became of it. Never throws. */
const carryOut = async (
  operationId: string,
  { modelRef, modelId, want, digest }: WantedPull,
  signal: AbortSignal,
  { store, operations, clock }: PullOptions,
): Promise<void> => {
  const startedAtMs = clock.wall()
  let seen = NOTHING
  const now = () => loadGoesOn({ modelId, phase: 'download', startedAtMs, ...figuresOf(seen) })
  const endedAtMs = () => Math.max(startedAtMs, clock.wall())
  const tell = (progress: LoadProgress) =>
    operations.loading(operationId, {
      ...{ step: seen.step, load: loadMessage(progress) },
      percent: Math.floor(progress.percent),
    })
  const onProgress = (progress: FetchProgress) => {
    seen = progress
    tell(now())
  }
  try {
    const ensure = { want, signal, onProgress, ...(digest === undefined ? {} : { digest }) }
    const { sizeBytes } = await store.ensurePresent(modelRef, ensure)
    seen = { ...seen, bytesDone: sizeBytes, bytesTotal: sizeBytes }
    tell(loadIsReady(now(), endedAtMs()))
    operations.end(operationId, { kind: 'completed' })
  } catch (error) {
    const { reason, message } = BerthError.from(error)
    const kind = signal.aborted ? 'cancelled' : 'failed'
    tell(loadHasFailed(now(), endedAtMs(), { reason, message }))
    operations.end(operationId, { kind, reason, message })
  }
}

const figuresOf = ({ bytesDone, bytesTotal }: FetchProgress) => ({
  percent: bytesTotal ? Math.min(100, (100 * bytesDone) / bytesTotal) : 0,
  bytesDone,
  ...(bytesTotal === undefined ? {} : { bytesTotal }),
})
