import {
  OperationStatus,
  OperationStatusSchema,
  OperationTypeSchema,
  type Measurement,
  type Operation,
  type PoolOperation,
} from '@berth/contract'
import { loadProgressJson } from './load-json.ts'
import { word } from './word.ts'

/** An operation in the API's names. */
export const operationJson = (operation: Operation) => ({
  operation_id: operation.operationId,
  object: 'operation',
  operation_type: word(OperationTypeSchema, operation.type),
  status: word(OperationStatusSchema, operation.status),
  progress_percent: operation.progressPercent,
  eta_ms: operation.etaMs === undefined ? null : Number(operation.etaMs),
  model_id: operation.modelId || null,
  model_ref: operation.modelRef || null,
  // Of a pull, which is about a host, there is none.
  backend_id: operation.poolId || null,
  step: operation.step || null,
  steps: operation.steps.map(({ name, startedAtMs, completedAtMs }) => ({
    name,
    started_at: time(startedAtMs),
    completed_at: completedAtMs === undefined ? null : time(completedAtMs),
  })),
  initiated_at: time(operation.initiatedAtMs),
  completed_at: operation.completedAtMs === undefined ? null : time(operation.completedAtMs),
  rolled_back: operation.rolledBack,
  error_details: errorDetails(operation),
  ...(operation.measurements.length > 0
    ? { measurements: operation.measurements.map(measurementJson) }
    : {}),
  ...(operation.load ? { load: loadProgressJson(operation.load) } : {}),
})

const measurementJson = (measured: Measurement) => ({
  prompt_tokens: measured.promptTokens,
  concurrency: measured.concurrency,
  runs: measured.runs,
  failed: measured.failed,
  first_token_p50_ms: measured.firstTokenP50Ms,
  first_token_p95_ms: measured.firstTokenP95Ms,
  tokens_per_s: measured.tokensPerS,
  total_tokens_per_s: measured.totalTokensPerS,
})

/** The same with the host that carries it out. */
export const poolOperationJson = ({ hostId, operation }: PoolOperation) => ({
  ...operationJson(operation!),
  host_id: hostId,
})

const errorDetails = ({ status, errorReason, errorMessage }: Operation) =>
  status === OperationStatus.FAILED || status === OperationStatus.CANCELLED
    ? { code: errorReason, message: errorMessage }
    : null

const time = (ms: bigint) => new Date(Number(ms)).toISOString()
