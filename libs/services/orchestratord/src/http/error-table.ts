import type { Reason } from '@berth/kernel'

export interface HttpError {
  readonly status: number
  /** OpenAI's `error.type`. */
  readonly type: string
  /** The same request may succeed later. */
  readonly retriable: boolean
}

const row = (status: number, type: string, retriable: boolean): HttpError => ({
  status,
  type,
  retriable,
})
const invalid = row(400, 'invalid_request_error', false)
const notFound = row(404, 'not_found_error', false)
const conflict = row(409, 'conflict_error', false)
const limited = row(429, 'rate_limit_error', true)
const unavailable = row(503, 'service_unavailable_error', true)
const internal = row(500, 'server_error', false)

/** Every reason as HTTP. Source: the API's error table. */
export const HTTP_OF_REASON: Readonly<Record<Reason, HttpError>> = {
  INVALID_PARAMS: invalid,
  DEADLINE_UNMET: invalid,
  UNTRUSTED_ARTIFACT: invalid,
  INSUFFICIENT_VRAM: invalid,
  CONTEXT_TOO_LONG: invalid,
  UNSUPPORTED_OPERATION: invalid,
  UNAUTHENTICATED: row(401, 'authentication_error', false),
  FORBIDDEN: row(403, 'permission_error', false),
  MODEL_NOT_ALLOWED: row(403, 'permission_error', false),
  MODEL_NOT_FOUND: notFound,
  POOL_NOT_FOUND: notFound,
  HOST_NOT_FOUND: notFound,
  OPERATION_NOT_FOUND: notFound,
  SESSION_NOT_FOUND: notFound,
  DECISION_NOT_FOUND: notFound,
  UNSUPPORTED_ROUTE: notFound,
  METHOD_NOT_ALLOWED: row(405, 'invalid_request_error', false),
  OPERATION_IN_PROGRESS: conflict,
  ACTIVE_REQUESTS: conflict,
  DUPLICATE_TASK: conflict,
  PAYLOAD_TOO_LARGE: row(413, 'invalid_request_error', false),
  CLIENT_CLOSED: row(499, 'client_closed', false),
  CANCELLED: row(499, 'cancelled', false),
  ADMISSION_REJECT: limited,
  QUEUE_FULL_DROP_LRU: limited,
  RATE_LIMITED: limited,
  BUDGET_EXHAUSTED: limited,
  POOL_UNREADY: unavailable,
  POOL_UNAVAILABLE: unavailable,
  REPLICA_EXHAUSTED: unavailable,
  MODEL_LOADING: unavailable,
  CONTROL_PLANE_UNAVAILABLE: unavailable,
  // What failed to load will fail again: clients must not retry blindly.
  MODEL_LOAD_FAILED: row(503, 'service_unavailable_error', false),
  QUEUE_TIMEOUT: row(504, 'timeout_error', true),
  DECODE_TIMEOUT: row(504, 'timeout_error', true),
  INSUFFICIENT_DISK: row(507, 'server_error', false),
  WORKER_RESET: row(502, 'server_error', true),
  SLOW_CONSUMER: row(408, 'invalid_request_error', false),
  INTERNAL: internal,
  // Between services; here only because something behind this gateway let them through.
  NOT_LEADER: unavailable,
  STALE_TERM: unavailable,
  STALE_EPOCH: unavailable,
  POOL_DRAINING: unavailable,
  POOL_BUSY: unavailable,
  BUS_UNAVAILABLE: unavailable,
  REVISION_CONFLICT: unavailable,
  CONFIG_INVALID: internal,
  PORT_IN_USE: internal,
  START_TIMEOUT: unavailable,
  ENGINE_FAILED: internal,
  RPC_FAILED: internal,
  RPC_DEADLINE: unavailable,
  RPC_UNAVAILABLE: unavailable,
}

/** Reasons that only services use reach clients under the name of what they mean to them. */
export const publicReason = (reason: Reason): Reason => {
  switch (reason) {
    case 'NOT_LEADER':
    case 'STALE_TERM':
    case 'BUS_UNAVAILABLE':
    case 'REVISION_CONFLICT':
    case 'RPC_DEADLINE':
    case 'RPC_UNAVAILABLE':
      return 'CONTROL_PLANE_UNAVAILABLE'
    case 'STALE_EPOCH':
    case 'POOL_DRAINING':
    case 'POOL_BUSY':
    case 'START_TIMEOUT':
      return 'POOL_UNAVAILABLE'
    case 'CONFIG_INVALID':
    case 'PORT_IN_USE':
    case 'ENGINE_FAILED':
    case 'RPC_FAILED':
      return 'INTERNAL'
    default:
      return reason
  }
}
