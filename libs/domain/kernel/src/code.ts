/**
 * The sixteen non-OK status codes of gRPC, as strings. One table maps them to gRPC numbers
 * (`@berth/rpc`), one to HTTP (`@berth/orchestratord`).
 *
 * Source: https://grpc.github.io/grpc/core/md_doc_statuscodes.html
 */
export const CODES = [
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const

/** One of `CODES`. */
export type Code = (typeof CODES)[number]
