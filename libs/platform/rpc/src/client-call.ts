import { BerthError, randomUuid, type Cancel, type Clock, type Rng } from '@berth/kernel'
import {
  Metadata,
  type CallOptions as GrpcCallOptions,
  type Client as Channel,
  type ClientReadableStream,
  type MethodDefinition,
  type ServiceError,
} from '@grpc/grpc-js'
import { ownStream, type BidiStream } from './bidi-stream.ts'
import type { CallOptions } from './client.ts'
import { CORRELATION_KEY } from './correlation-id.ts'
import { createInbox } from './inbox.ts'
import { fromStatus } from './status.ts'

type Method = MethodDefinition<unknown, unknown>

/** What all calls of one client share. */
export interface ClientEnv {
  readonly channel: Channel
  readonly address: string
  readonly defaultDeadlineMs: number
  readonly clock: Clock
  readonly rng: Rng
  /** Cancels each call in progress. */
  readonly calls: Set<() => void>
  readonly closed: AbortController
}

export const callUnary = (
  env: ClientEnv,
  method: Method,
  request: unknown,
  options: CallOptions,
): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const track = trackCall(env, method, options)
    const call = env.channel.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadataOf(env, options),
      withDeadline(env, options),
      (error, response) => {
        track.release()
        if (error) reject(track.toError(error))
        else resolve(response)
      },
    )
    track.start(() => call.cancel())
  })

export async function* callServerStream(
  env: ClientEnv,
  method: Method,
  request: unknown,
  options: CallOptions,
): AsyncGenerator<unknown, void, undefined> {
  const track = trackCall(env, method, options)
  const call = env.channel.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    metadataOf(env, options),
    withDeadline(env, options),
  )
  const inbox = createInbox<unknown>(call)
  call.on('data', inbox.push)
  onEnding(call, (error) => (error ? inbox.fail(track.toError(error)) : inbox.end()))
  track.start(() => call.cancel())
  try {
    yield* inbox
  } finally {
    track.release()
    call.cancel()
  }
}

export const callBidi = (
  env: ClientEnv,
  method: Method,
  options: CallOptions,
): BidiStream<unknown, unknown> => {
  const track = trackCall(env, method, options)
  const call = env.channel.makeBidiStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    metadataOf(env, options),
    {},
  )
  const { stream, failAtEnd } = ownStream(call, {
    abandon: () => track.cancel(),
    confirmEnd: (end) => end(),
  })
  const openMs = options.deadlineMs ?? env.defaultDeadlineMs
  const cancelTimer = after(env.clock, openMs, () =>
    stream.destroy(notAccepted(env, method, openMs)),
  )
  call.once('metadata', cancelTimer)
  call.once('status', () => {
    cancelTimer()
    track.release()
  })
  call.on('error', (error) => failAtEnd(track.toError(error as ServiceError)))
  track.start(() => call.cancel())
  return stream
}

/**
 * Ends with the signal, with the client, or by itself; knows who ended it. Throws `CANCELLED` when
 * either has ended already.
 */
const trackCall = (env: ClientEnv, method: Method, options: CallOptions) => {
  const { signal } = options
  if (env.closed.signal.aborted) throw env.closed.signal.reason
  if (signal?.aborted) {
    throw new BerthError('CANCELLED', `The call ${method.path} was cancelled before it began.`, {
      cause: signal.reason,
    })
  }
  let isCancelledHere = false
  let cancelCall = () => {}
  const cancel = () => {
    isCancelledHere = true
    cancelCall()
  }
  return {
    cancel,
    start: (cancelGrpc: () => void) => {
      cancelCall = cancelGrpc
      env.calls.add(cancel)
      signal?.addEventListener('abort', cancel, { once: true })
    },
    release: () => {
      env.calls.delete(cancel)
      signal?.removeEventListener('abort', cancel)
    },
    toError: (error: ServiceError) =>
      fromStatus(error, { path: method.path, address: env.address, isCancelledHere }),
  }
}

const metadataOf = (env: ClientEnv, options: CallOptions): Metadata => {
  const metadata = new Metadata()
  metadata.set(CORRELATION_KEY, options.correlationId ?? randomUuid(env.rng))
  return metadata
}

/** grpc-js takes deadlines as wall time. */
const withDeadline = (env: ClientEnv, options: CallOptions): GrpcCallOptions => {
  const deadlineMs = options.deadlineMs ?? env.defaultDeadlineMs
  return { deadline: deadlineMs === Infinity ? Infinity : env.clock.wall() + deadlineMs }
}

/**
 * grpc-js reports a failure at once but the end only when all messages were read; the reader gets
 * them in that order.
 */
const onEnding = (
  call: ClientReadableStream<unknown>,
  done: (error: ServiceError | undefined) => void,
) => {
  let failure: ServiceError | undefined
  call.on('error', (error) => {
    failure = error as ServiceError
  })
  call.on('end', () => done(failure))
}

const after = (clock: Clock, ms: number, fn: () => void): Cancel =>
  ms === Infinity ? () => {} : clock.after(ms, fn)

const notAccepted = (env: ClientEnv, method: Method, ms: number) =>
  new BerthError('RPC_DEADLINE', `${env.address} did not accept ${method.path} in ${ms} ms.`, {
    facts: { address: env.address, method: method.path },
  })
