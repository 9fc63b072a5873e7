import { create, fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf'
import {
  anyPack,
  anyUnpack,
  durationFromMs,
  durationMs,
  StructSchema,
  type Any,
} from '@bufbuild/protobuf/wkt'
import { ErrorInfoSchema, RetryInfoSchema, StatusSchema } from '@berth/contract/grpc'
import { BerthError, isReason, type Code, type Facts } from '@berth/kernel'
import { Metadata, status as grpcStatus, type ServiceError, type StatusObject } from '@grpc/grpc-js'

const DOMAIN = 'berth'
const DETAILS_KEY = 'grpc-status-details-bin'
/** Trailers share 16 KiB in common HTTP/2 stacks; encoded, a character may take nine bytes. */
const MESSAGE_MAX_CHARS = 1_000
const DETAILS_MAX_BYTES = 4_096

/** Source: https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const NUMBER_OF_CODE: Readonly<Record<Code, grpcStatus>> = {
  CANCELLED: grpcStatus.CANCELLED,
  UNKNOWN: grpcStatus.UNKNOWN,
  INVALID_ARGUMENT: grpcStatus.INVALID_ARGUMENT,
  DEADLINE_EXCEEDED: grpcStatus.DEADLINE_EXCEEDED,
  NOT_FOUND: grpcStatus.NOT_FOUND,
  ALREADY_EXISTS: grpcStatus.ALREADY_EXISTS,
  PERMISSION_DENIED: grpcStatus.PERMISSION_DENIED,
  RESOURCE_EXHAUSTED: grpcStatus.RESOURCE_EXHAUSTED,
  FAILED_PRECONDITION: grpcStatus.FAILED_PRECONDITION,
  ABORTED: grpcStatus.ABORTED,
  OUT_OF_RANGE: grpcStatus.OUT_OF_RANGE,
  UNIMPLEMENTED: grpcStatus.UNIMPLEMENTED,
  INTERNAL: grpcStatus.INTERNAL,
  UNAVAILABLE: grpcStatus.UNAVAILABLE,
  DATA_LOSS: grpcStatus.DATA_LOSS,
  UNAUTHENTICATED: grpcStatus.UNAUTHENTICATED,
}

/**
 * The status a caller is sent. Reason and facts travel as `google.rpc.ErrorInfo` of the domain
 * `berth`, `retryAfterMs` as `google.rpc.RetryInfo`; facts that are not text also as a
 * `google.protobuf.Struct`, so that numbers and booleans come back as they were. `cause` stays.
 * Facts that would not fit in a trailer are left out.
 */
export const toStatus = (error: BerthError): StatusObject => {
  const code = NUMBER_OF_CODE[error.code]
  const details = error.message.slice(0, MESSAGE_MAX_CHARS).toWellFormed()
  const metadata = new Metadata()
  const encoded = encodeDetails(code, error, error.facts)
  const fits = encoded.byteLength <= DETAILS_MAX_BYTES
  metadata.set(DETAILS_KEY, Buffer.from(fits ? encoded : encodeDetails(code, error, {})))
  return { code, details, metadata }
}

/** Which call failed, and whether this side ended it. */
export interface FailedCall {
  /** `/package.Service/Method`. */
  readonly path: string
  readonly address: string
  readonly isCancelledHere: boolean
}

/**
 * What the other side, or grpc-js itself, said. An error of Berth comes back with its reason,
 * facts and retry delay; anything else is `RPC_UNAVAILABLE`, `RPC_DEADLINE`, `CANCELLED` or
 * `RPC_FAILED`. A cancellation this side did not ask for means that the server went away.
 */
export const fromStatus = (error: ServiceError, call: FailedCall): BerthError => {
  const sent = readDetails(error)
  if (sent) return sent
  const facts = { address: call.address, method: call.path, grpc_status: error.code }
  const options = { facts, cause: error }
  const text = error.details
  switch (error.code) {
    case grpcStatus.DEADLINE_EXCEEDED:
      return new BerthError(
        'RPC_DEADLINE',
        `${call.address} did not answer ${call.path} before the deadline: ${text}`,
        options,
      )
    case grpcStatus.CANCELLED:
      if (call.isCancelledHere) {
        return new BerthError('CANCELLED', `The call ${call.path} was cancelled.`, options)
      }
      return unavailable(call, text, options)
    case grpcStatus.UNAVAILABLE:
      return unavailable(call, text, options)
    default:
      return new BerthError(
        'RPC_FAILED',
        `${call.path} at ${call.address} failed: ${text}`,
        options,
      )
  }
}

const unavailable = (call: FailedCall, text: string, options: { facts: Facts; cause: unknown }) =>
  new BerthError('RPC_UNAVAILABLE', `${call.address} cannot be reached: ${text}`, options)

const encodeDetails = (code: number, error: BerthError, facts: Facts): Uint8Array => {
  const texts = Object.entries(facts).map(([key, value]) => [key, String(value)] as const)
  const details: Any[] = [
    anyPack(
      ErrorInfoSchema,
      create(ErrorInfoSchema, {
        reason: error.reason,
        domain: DOMAIN,
        metadata: wellFormed(Object.fromEntries(texts)),
      }),
    ),
  ]
  if (error.retryAfterMs !== undefined) {
    const retryDelay = durationFromMs(Math.max(0, Math.round(error.retryAfterMs)))
    details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })))
  }
  const typed = Object.entries(facts).filter(([, value]) => typeof value !== 'string')
  if (typed.length > 0) {
    const json = Object.fromEntries(typed.filter(([, value]) => Number.isFinite(Number(value))))
    details.push(anyPack(StructSchema, fromJson(StructSchema, json)))
  }
  const message = error.message.slice(0, MESSAGE_MAX_CHARS).toWellFormed()
  return toBinary(StatusSchema, create(StatusSchema, { code, message, details }))
}

const wellFormed = (texts: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(texts).map(([key, value]) => [key.toWellFormed(), value.toWellFormed()]),
  )

const readDetails = (error: ServiceError): BerthError | undefined => {
  // grpc-js leaves `metadata` out of some errors it makes itself.
  const bytes = (error.metadata as Metadata | undefined)?.get(DETAILS_KEY)[0]
  if (bytes === undefined || typeof bytes === 'string') return undefined
  try {
    const { message, details } = fromBinary(StatusSchema, bytes)
    const info = first(details, (any) => anyUnpack(any, ErrorInfoSchema))
    if (info?.domain !== DOMAIN) return undefined
    const delay = first(details, (any) => anyUnpack(any, RetryInfoSchema))?.retryDelay
    const struct = first(details, (any) => anyUnpack(any, StructSchema))
    const typed = struct ? (toJson(StructSchema, struct) as Facts) : {}
    const facts: Facts = { ...info.metadata, ...typed }
    const retry = delay ? { retryAfterMs: durationMs(delay) } : {}
    if (isReason(info.reason)) return new BerthError(info.reason, message, { facts, ...retry })
    // A newer peer knows reasons that this one does not.
    return new BerthError('RPC_FAILED', message, {
      facts: { ...facts, reason: info.reason },
      ...retry,
    })
  } catch {
    // Details that are not ours or are damaged: the plain status says enough.
    return undefined
  }
}

const first = <T>(items: readonly Any[], read: (any: Any) => T | undefined): T | undefined => {
  for (const item of items) {
    const value = read(item)
    if (value !== undefined) return value
  }
  return undefined
}
