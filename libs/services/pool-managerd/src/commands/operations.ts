import { clone, create } from '@bufbuild/protobuf'
import {
  OperationSchema,
  OperationStatus,
  OperationStepSchema,
  type LoadProgress,
  type Measurement,
  type Operation,
  type OperationType,
} from '@berth/contract'
import { BerthError, randomUuid, type Cancel, type Clock, type Rng } from '@berth/kernel'

/** Operations remembered after their end. */
const KEPT = 200
/** Steps remembered of one. */
const STEPS_KEPT = 50

/** How an operation ended. */
export type OperationEnd =
  | { readonly kind: 'completed' }
  | {
      readonly kind: 'cancelled' | 'failed'
      readonly reason: string
      readonly message: string
      /** What served before serves again. Absent is false. */
      readonly isRolledBack?: boolean
    }

/** Where an operation stands. */
export interface Progress {
  /** Such as "drain", "stage", "stop", "start", "probe". */
  readonly step: string
  readonly percent: number
}

/** A model on its way. */
export interface Loading {
  /** Absent: it goes on with what it does. */
  readonly step?: string
  readonly load: LoadProgress
  /** How far the operation is with it; absent when its steps tell. */
  readonly percent?: number
}

/** The changes under way on this host, and the last ones that ended. */
export interface Operations {
  begin(wanted: {
    readonly type: OperationType
    readonly poolId: string
    /** Of one that is about this host and no pool. */
    readonly hostId?: string
    readonly modelId: string
    readonly modelRef: string
    readonly term: number
    readonly idempotencyKey: string
    readonly correlationId: string
  }): Operation
  step(operationId: string, progress: Progress): void
  /** How far the model has come. */
  loading(operationId: string, progress: Loading): void
  /** Part of what a bench came to. */
  measured(operationId: string, measurement: Measurement): void
  end(operationId: string, end: OperationEnd): void
  /** Throws `OPERATION_NOT_FOUND`. */
  get(operationId: string): Operation
  /** The newest first, of one pool or of all. */
  list(poolId?: string): readonly Operation[]
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

const endSteps = (operation: Operation, nowMs: bigint): void => {
  for (const step of operation.steps) step.completedAtMs ??= nowMs
}

const takeStep = (operation: Operation, { step, percent }: Progress, startedAtMs: bigint): void => {
  endSteps(operation, startedAtMs)
  operation.step = step
  operation.progressPercent = Math.max(percent, operation.progressPercent)
  const next = create(OperationStepSchema, { name: step, startedAtMs })
  // A pool that is started again and again takes the same steps again.
  operation.steps = [...operation.steps, next].slice(-STEPS_KEPT)
}

const takeLoad = (operation: Operation, loading: Loading, nowMs: bigint): void => {
  const { step, load, percent = operation.progressPercent } = loading
  if (step !== undefined && step !== operation.step) takeStep(operation, { step, percent }, nowMs)
  operation.progressPercent = Math.max(percent, operation.progressPercent)
  operation.load = load
  if (load.etaMs === undefined) delete operation.etaMs
  else operation.etaMs = load.etaMs
}

const conclude = (operation: Operation, end: OperationEnd, nowMs: bigint): void => {
  operation.status = STATUS[end.kind]
  operation.completedAtMs = nowMs
  endSteps(operation, nowMs)
  if (end.kind === 'completed') {
    operation.progressPercent = 100
    return
  }
  operation.errorReason = end.reason
  operation.errorMessage = end.message
  operation.rolledBack = end.isRolledBack ?? false
}

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
    begin: ({ correlationId, term, ...wanted }) => {
      const operation = create(OperationSchema, {
        ...wanted,
        operationId: randomUuid(rng),
        status: OperationStatus.IN_PROGRESS,
        initiatedAtMs: nowMs(),
        term: BigInt(term),
      })
      all.set(operation.operationId, { operation, correlationId })
      forgetOld()
      for (const listener of [...listeners]) listener(operation, correlationId)
      return operation
    },
    step: (operationId, progress) => {
      if (all.get(operationId)?.operation.step === progress.step) return
      change(operationId, (operation) => takeStep(operation, progress, nowMs()))
    },
    loading: (operationId, progress) =>
      change(operationId, (operation) => takeLoad(operation, progress, nowMs())),
    measured: (operationId, measurement) =>
      change(operationId, (operation) => void operation.measurements.push(measurement)),
    end: (operationId, end) =>
      change(operationId, (operation) => conclude(operation, end, nowMs())),
    get: (operationId) => {
      const entry = all.get(operationId)
      if (entry) return entry.operation
      throw new BerthError(
        'OPERATION_NOT_FOUND',
        `This host knows no operation ${JSON.stringify(operationId.slice(0, 80))}.`,
      )
    },
    list: (poolId) =>
      [...all.values()]
        .map(({ operation }) => operation)
        .filter((operation) => poolId === undefined || operation.poolId === poolId)
        .reverse(),
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
