import { create } from '@bufbuild/protobuf'
import { LoadProgressSchema, OperationType, type Operation } from '@berth/contract'
import { BerthError, type Clock } from '@berth/kernel'
import type { EnsureOptions, FetchProgress, ModelStore } from '@berth/model-store'
import type { Operations } from '../commands/operations.ts'
import { fetchMessage, type FetchEnd } from './fetch-message.ts'

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
/** Progress is told twice a second. */
const STEP_MS = 500

export const createPulls = (options: PullOptions): Pulls => {
  const { operations, clock, hostId } = options
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

  async function carryOut(
    operationId: string,
    { modelRef, modelId, want, digest }: WantedPull,
    signal: AbortSignal,
    { store }: PullOptions,
  ): Promise<void> {
    const startedAtMs = clock.wall()
    let seen = NOTHING
    let nextAt = 0
    const tell = (end?: FetchEnd) => {
      const load = create(LoadProgressSchema, fetchMessage(modelId, startedAtMs, seen, end))
      operations.loading(operationId, { step: seen.step, load })
    }
    const onProgress = (progress: FetchProgress) => {
      seen = progress
      if (clock.now() < nextAt) return
      nextAt = clock.now() + STEP_MS
      tell()
    }
    try {
      const ensure = { want, signal, onProgress, ...(digest === undefined ? {} : { digest }) }
      const { sizeBytes } = await store.ensurePresent(modelRef, ensure)
      seen = { ...seen, bytesDone: sizeBytes, bytesTotal: sizeBytes }
      tell({ atMs: clock.wall() })
      operations.end(operationId, { kind: 'completed' })
    } catch (error) {
      const { reason, message } = BerthError.from(error)
      const kind = signal.aborted ? 'cancelled' : 'failed'
      tell({ atMs: clock.wall(), failure: { reason, message } })
      operations.end(operationId, { kind, reason, message })
    }
  }
}
