import { BerthError } from './berth-error.ts'

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** Names one GPU host and its agent: `[a-z0-9-]{1,63}`. */
export type HostId = Branded<'HostId'>
/** Names one pool, unique in the fleet: `[a-z0-9-]{1,63}`. The seeds call it `backend_id`. */
export type PoolId = Branded<'PoolId'>
/** What clients send as `model`. Not where files come from: that is a `ModelRef`. */
export type ModelId = Branded<'ModelId'>
/** Where the files of a model come from: `hf:`, `file:`, `https:`, `oci:`, `ollama:`. */
export type ModelRef = Branded<'ModelRef'>
/** One life of the engine process of a pool (UUID). */
export type InstanceId = Branded<'InstanceId'>
/** A timed right to use one slot of one pool (UUID). */
export type LeaseId = Branded<'LeaseId'>
/** A request in admission (UUID). */
export type JobId = Branded<'JobId'>
/** One gateway process life. */
export type GatewayId = Branded<'GatewayId'>
/** A durable or long-running change of the fleet (UUID). */
export type OperationId = Branded<'OperationId'>
/** Follows one request through every service: `[A-Za-z0-9._-]{1,64}`. */
export type CorrelationId = Branded<'CorrelationId'>

const NAME = /^[a-z0-9-]{1,63}$/
const CORRELATION = /^[A-Za-z0-9._-]{1,64}$/
const TOKEN = /^[A-Za-z0-9._:-]{1,128}$/
const MODEL_ID_MAX = 256
// Printable, no white space and no control characters; the first is not a dash, so that a model
// id can never be read as a flag by an engine.

const MODEL = /^(?!-)[^\s\u0000-\u001f\u007f]+$/u

const parseAs =
  <T extends string>(kind: string, pattern: RegExp, rule: string) =>
  (value: string): T => {
    if (pattern.test(value)) return value as T
    const shown = JSON.stringify(value.slice(0, 80))
    throw new BerthError('INVALID_PARAMS', `${kind} ${shown} is not valid: ${rule}.`)
  }

/** Throws `INVALID_PARAMS` unless the value is a host name of the fleet. */
export const parseHostId = parseAs<HostId>('Host id', NAME, '1 to 63 of a-z, 0-9 and "-"')
/** Throws `INVALID_PARAMS` unless the value can name a pool. */
export const parsePoolId = parseAs<PoolId>('Pool id', NAME, '1 to 63 of a-z, 0-9 and "-"')
const idRule = '1 to 128 of letters, digits, ".", "_", ":" and "-"'
/** Throws `INVALID_PARAMS` unless the value can be an id that services make; so do those below. */
export const parseLeaseId = parseAs<LeaseId>('Lease id', TOKEN, idRule)
export const parseJobId = parseAs<JobId>('Job id', TOKEN, idRule)
export const parseGatewayId = parseAs<GatewayId>('Gateway id', TOKEN, idRule)
export const parseInstanceId = parseAs<InstanceId>('Instance id', TOKEN, idRule)
export const parseOperationId = parseAs<OperationId>('Operation id', TOKEN, idRule)

/** Throws `INVALID_PARAMS` unless the value can be a model id (1 to 256 printable characters). */
export const parseModelId = (value: string): ModelId => {
  const parse = parseAs<ModelId>(
    'Model id',
    MODEL,
    `1 to ${MODEL_ID_MAX} printable characters without white space, the first not "-"`,
  )
  return parse(value.length > MODEL_ID_MAX ? '' : value)
}

/** True when a client's correlation id may be echoed as it is. */
export const isCorrelationId = (value: string): value is CorrelationId => CORRELATION.test(value)
