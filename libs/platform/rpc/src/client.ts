import type {
  DescMessage,
  DescMethod,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf'
import { BerthError, assert, type Clock, type Rng } from '@berth/kernel'
import { systemClock, systemRng } from '@berth/runtime'
import { Client as Channel, credentials } from '@grpc/grpc-js'
import type { BidiStream } from './bidi-stream.ts'
import { CLIENT_OPTIONS, quietGrpc } from './channel-options.ts'
import { callBidi, callServerStream, callUnary, type ClientEnv } from './client-call.ts'
import { methodDefinition } from './service-definition.ts'

/** How one call is made. A handler's `CallContext` fits, and propagates all three. */
export interface CallOptions {
  /** Aborting it cancels the call, which then fails with `CANCELLED`. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds from now; `Infinity` for none. Default: the client's. */
  readonly deadlineMs?: number | undefined
  readonly correlationId?: string | undefined
}

type MethodOf<Kind, In extends DescMessage, Out extends DescMessage> = Kind extends 'unary'
  ? (request: MessageInitShape<In>, options?: CallOptions) => Promise<MessageShape<Out>>
  : Kind extends 'server_streaming'
    ? (request: MessageInitShape<In>, options?: CallOptions) => AsyncIterable<MessageShape<Out>>
    : Kind extends 'bidi_streaming'
      ? (options?: CallOptions) => BidiStream<MessageShape<Out>, MessageInitShape<In>>
      : never

/** The method of a client for one method of a service. All of them fail with `BerthError` only. */
export type ClientMethod<M extends DescMethod> = MethodOf<M['methodKind'], M['input'], M['output']>

/** A typed client: one function for each method, by its local name. */
export type Client<S extends DescService> = {
  readonly [K in keyof S['method']]: ClientMethod<S['method'][K]>
}

/** Whom to call, and how long a call may take. */
export interface ClientOptions {
  /** `host:port`. */
  readonly address: string
  /** For unary and server-streaming calls, and for a bidi stream to be accepted. */
  readonly defaultDeadlineMs: number
  /** Default: the system's. */
  readonly clock?: Clock
  /** For the correlation ids of calls that give none. Default: the system's. */
  readonly rng?: Rng
}

/**
 * A client with one connection, made when first used and remade when lost. A server-streaming call
 * starts with the first read and is cancelled when its reader stops early. A bidi stream has no
 * deadline once the server accepted it; keepalive finds a dead peer.
 * Disposing cancels every call in progress and closes the connection.
 */
export const createClient = <S extends DescService>(
  service: S,
  options: ClientOptions,
): Client<S> & Disposable => {
  quietGrpc()
  const env: ClientEnv = {
    channel: new Channel(options.address, credentials.createInsecure(), CLIENT_OPTIONS),
    address: options.address,
    defaultDeadlineMs: options.defaultDeadlineMs,
    clock: options.clock ?? systemClock(),
    rng: options.rng ?? systemRng(),
    calls: new Set(),
    closed: new AbortController(),
  }
  const methods = Object.fromEntries(
    service.methods.map((method) => [method.localName, clientMethod(service, method, env)]),
  )
  const dispose = () => {
    env.closed.abort(new BerthError('CANCELLED', `The client of ${options.address} was closed.`))
    for (const cancel of [...env.calls]) cancel()
    env.channel.close()
  }
  return Object.assign(methods, { [Symbol.dispose]: dispose }) as unknown as Client<S> & Disposable
}

const clientMethod = (service: DescService, method: DescMethod, env: ClientEnv) => {
  const definition = methodDefinition(service, method)
  switch (method.methodKind) {
    case 'unary':
      return (request: unknown, options: CallOptions = {}) =>
        callUnary(env, definition, request, options)
    case 'server_streaming':
      return (request: unknown, options: CallOptions = {}) =>
        callServerStream(env, definition, request, options)
    case 'bidi_streaming':
      return (options: CallOptions = {}) => callBidi(env, definition, options)
    case 'client_streaming':
      return assert(false, `${definition.path} has a kind Berth calls`)
  }
}
