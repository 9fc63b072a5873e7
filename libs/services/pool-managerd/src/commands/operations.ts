import { clone, create } from '@bufbuild/protobuf'
import {
  OperationSchema,
  OperationStatus,
  type Operation,
  type OperationType,
} from '@berth/contract'
import { BerthError, randomUuid, type Cancel, type Clock, type Rng } from '@berth/kernel'

/** Operations remembered after their end. */
const KEPT = 200

/** How an operation ended. */
export type OperationEnd =
  | { readonly kind: 'completed' }
  | { readonly kind: 'cancelled' | 'failed'; readonly reason: string; readonly message: string }

/** The changes under way on this host, and the last ones that ended. */
export interface Operations {
  begin(wanted: {
    readonly type: OperationType
    readonly poolId: string
    readonly modelId: string
    readonly term: number
    readonly idempotencyKey: string
    readonly correlationId: string
  }): Operation
  step(operationId: string, step: string): void
  end(operationId: string, end: OperationEnd): void
  /** Throws `OPERATION_NOT_FOUND`. */
  get(operationId: string): Operation
  /** The one under way in a pool. */
  current(poolId: string): Operation | undefined
  onChange(fn: (operation: Operation, correlationId: string) => void): Cancel
}

export const isOver = ({ status }: Operation): boolean =>
  status === OperationStatus.COMPLETED ||
  status === OperationStatus.FAILED ||
  status === OperationStatus.CANCELLED

const STATUS = {
  completed: OperationStatus.COMPLETED,
  failed: OperationStatus.FAILED,
  cancelled: OperationStatus.CANCELLED,
} as const

export const createOperations = (clock: Clock, rng: Rng): Operations => {
  const all = new Map<string, { operation: Operation; readonly correlationId: string }>()
  const listeners = new Set<(operation: Operation, correlationId: string) => void>()

  const change = (operationId: string, edit: (operation: Operation) => void) => {
    const entry = all.get(operationId)
    if (!entry || isOver(entry.operation)) return
    const next = clone(OperationSchema, entry.operation)
    edit(next)
    entry.operation = next
    for (const listener of [...listeners]) listener(next, entry.correlationId)
  }
  const forgetOld = () => {
    for (const [id, { operation }] of all) {
      if (all.size <= KEPT) return
      if (isOver(operation)) all.delete(id)
    }
  }
  const nowMs = () => BigInt(Math.round(clock.wall()))
  return {
    begin: ({ type, poolId, modelId, term, idempotencyKey, correlationId }) => {
      const operation = create(OperationSchema, {
        operationId: randomUuid(rng),
        type,
        status: OperationStatus.IN_PROGRESS,
        poolId,
        modelId,
        initiatedAtMs: nowMs(),
        term: BigInt(term),
        idempotencyKey,
      })
      all.set(operation.operationId, { operation, correlationId })
      forgetOld()
      for (const listener of [...listeners]) listener(operation, correlationId)
      return operation
    },
    step: (operationId, step) => {
      if (all.get(operationId)?.operation.step === step) return
      change(operationId, (operation) => (operation.step = step))
    },
    end: (operationId, end) =>
      change(operationId, (operation) => {
        operation.status = STATUS[end.kind]
        operation.completedAtMs = nowMs()
        if (end.kind === 'completed') operation.progressPercent = 100
        else {
          operation.errorReason = end.reason
          operation.errorMessage = end.message
        }
      }),
    get: (operationId) => {
      const entry = all.get(operationId)
      if (entry) return entry.operation
      throw new BerthError(
        'OPERATION_NOT_FOUND',
        `This host knows no operation ${JSON.stringify(operationId.slice(0, 80))}.`,
      )
    },
    current: (poolId) =>
      [...all.values()]
        .map(({ operation }) => operation)
        .findLast((operation) => operation.poolId === poolId && !isOver(operation)),
    onChange: (fn) => {
      listeners.add(fn)
      return () => listeners.delete(fn)
    },
  }
}
