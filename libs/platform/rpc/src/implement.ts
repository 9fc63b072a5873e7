import type {
  DescMessage,
  DescMethod,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf'
import type { BidiStream } from './bidi-stream.ts'
import type { CallContext } from './call-context.ts'

/**
 * What implements one method. It may throw a `BerthError` for the caller; anything else it throws
 * reaches the caller as `INTERNAL` without detail. A bidi stream ends when its handler returns.
 * Methods that only the client streams are not used in Berth and have no handler type.
 */
export type Handler<M extends DescMethod> = HandlerOf<M['methodKind'], M['input'], M['output']>

type HandlerOf<Kind, In extends DescMessage, Out extends DescMessage> = Kind extends 'unary'
  ? (request: MessageShape<In>, context: CallContext) => Promise<MessageInitShape<Out>>
  : Kind extends 'server_streaming'
    ? (request: MessageShape<In>, context: CallContext) => AsyncIterable<MessageInitShape<Out>>
    : Kind extends 'bidi_streaming'
      ? (
          stream: BidiStream<MessageShape<In>, MessageInitShape<Out>>,
          context: CallContext,
        ) => Promise<void>
      : never

/** One handler for each method of a service, by the method's local name (`getStatus`). */
export type Handlers<S extends DescService> = {
  readonly [K in keyof S['method']]: Handler<S['method'][K]>
}

/** A handler whose types were checked by `implement`. */
export type UntypedHandler = (input: unknown, context: CallContext) => unknown

/** A service and what implements it, ready for `serveRpc`. */
export interface RpcService {
  readonly service: DescService
  readonly handlers: ReadonlyMap<string, UntypedHandler>
}

/** Joins a service to its handlers. They are called as methods of `handlers`. */
export const implement = <S extends DescService>(service: S, handlers: Handlers<S>): RpcService => {
  const byName = handlers as unknown as Record<string, UntypedHandler>
  return {
    service,
    handlers: new Map(
      service.methods.map(({ localName }) => [localName, byName[localName]!.bind(handlers)]),
    ),
  }
}
