import { create, toBinary } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from '@jest/globals'
import { ErrorInfoSchema, StatusSchema } from '@berth/contract/grpc'
import { BerthError, CODE_OF_REASON, type Reason } from '@berth/kernel'
import { Metadata, status as grpcStatus, type ServiceError } from '@grpc/grpc-js'
import { fromStatus, toStatus } from './status.ts'

const call = { path: '/test.Service/Method', address: 'core:7070', isCancelledHere: false }

const received = (error: BerthError): BerthError =>
  fromStatus(asServiceError(toStatus(error)), call)

const asServiceError = (status: {
  code: grpcStatus
  details: string
  metadata: Metadata
}): ServiceError => Object.assign(new Error(status.details), status)

const plain = (code: grpcStatus): ServiceError =>
  asServiceError({ code, details: 'as grpc-js says it', metadata: new Metadata() })

const withInfo = (reason: string, domain: string): ServiceError => {
  const info = anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain }))
  const bytes = toBinary(
    StatusSchema,
    create(StatusSchema, { code: grpcStatus.NOT_FOUND, message: 'gone', details: [info] }),
  )
  const metadata = new Metadata()
  metadata.set('grpc-status-details-bin', Buffer.from(bytes))
  return asServiceError({ code: grpcStatus.NOT_FOUND, details: 'gone', metadata })
}

describe('errors on the wire', () => {
  it.each(Object.keys(CODE_OF_REASON) as Reason[])('carries %s there and back', (reason) => {
    const sent = new BerthError(reason, 'What happened.', { facts: { pool_id: 'a' } })
    const got = received(sent)
    expect(grpcStatus[toStatus(sent).code]).toBe(CODE_OF_REASON[reason])
    expect(got).toMatchObject({ reason, code: CODE_OF_REASON[reason], message: 'What happened.' })
  })

  it('keeps the types of facts and the retry delay', () => {
    const facts = { required_bytes: 17_179_869_184, is_resident: false, pool_id: '7', rate: 0.5 }
    const got = received(
      new BerthError('INSUFFICIENT_VRAM', 'No room.', { facts, retryAfterMs: 1_250 }),
    )
    expect(got.facts).toEqual(facts)
    expect(got.retryAfterMs).toBe(1_250)
  })

  it('gives no retry delay where none was sent', () => {
    expect(received(new BerthError('POOL_BUSY', 'Busy.')).retryAfterMs).toBeUndefined()
  })

  it('never sends the cause', () => {
    const cause = new Error('password=hunter2')
    const { details, metadata } = toStatus(new BerthError('INTERNAL', 'Internal.', { cause }))
    expect(details + JSON.stringify(metadata.toHttp2Headers())).not.toContain('hunter2')
    expect(
      Buffer.concat(metadata.get('grpc-status-details-bin') as Buffer[]).toString(),
    ).not.toContain('hunter2')
  })

  it('leaves out facts that would not fit into a trailer, and keeps the reason', () => {
    const got = received(
      new BerthError('CONFIG_INVALID', 'x'.repeat(50_000), { facts: { text: 'y'.repeat(50_000) } }),
    )
    expect(got.reason).toBe('CONFIG_INVALID')
    expect(got.message).toHaveLength(1_000)
    expect(got.facts).toEqual({})
  })

  it('makes text well-formed that was cut inside a character', () => {
    const error = new BerthError('INVALID_PARAMS', 'cut \ud83d', { facts: { shown: '\ud83d' } })
    // grpc-js puts `details` through encodeURI, which throws on half a character.
    expect(toStatus(error).details).toBe('cut \ufffd')
    expect(received(error)).toMatchObject({ message: 'cut \ufffd', facts: { shown: '\ufffd' } })
  })

  it.each([
    [grpcStatus.UNAVAILABLE, 'RPC_UNAVAILABLE'],
    [grpcStatus.DEADLINE_EXCEEDED, 'RPC_DEADLINE'],
    [grpcStatus.UNIMPLEMENTED, 'RPC_FAILED'],
    [grpcStatus.INTERNAL, 'RPC_FAILED'],
    // Not asked for here: the server was cut off in the middle of the call.
    [grpcStatus.CANCELLED, 'RPC_UNAVAILABLE'],
  ])('names a status %s of grpc itself %s', (code, reason) => {
    const error = fromStatus(plain(code), call)
    expect(error.reason).toBe(reason)
    expect(error.facts).toMatchObject({ address: 'core:7070', method: call.path })
  })

  it('calls a cancellation from here CANCELLED', () => {
    const error = fromStatus(plain(grpcStatus.CANCELLED), { ...call, isCancelledHere: true })
    expect(error.reason).toBe('CANCELLED')
  })

  it('keeps a reason it does not know as a fact', () => {
    const error = fromStatus(withInfo('INVENTED_LATER', 'berth'), call)
    expect(error).toMatchObject({ reason: 'RPC_FAILED', facts: { reason: 'INVENTED_LATER' } })
  })

  it("does not take another domain's reason for its own", () => {
    expect(fromStatus(withInfo('POOL_NOT_FOUND', 'example.com'), call).reason).toBe('RPC_FAILED')
  })

  it('falls back to the plain status when the details are damaged', () => {
    const error = plain(grpcStatus.UNAVAILABLE)
    error.metadata.set('grpc-status-details-bin', Buffer.from([0xff, 0xff, 0xff]))
    expect(fromStatus(error, call).reason).toBe('RPC_UNAVAILABLE')
  })
})
