import type { DescMethod } from '@bufbuild/protobuf'
import { BerthError, assert, type Clock } from '@berth/kernel'
import {
  Metadata,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
  type UntypedHandleCall,
} from '@grpc/grpc-js'
import { ownStream } from './bidi-stream.ts'
import { openCall, type CallContext, type CallEnv } from './call-context.ts'
import { CORRELATION_KEY } from './correlation-id.ts'
import type { UntypedHandler } from './implement.ts'
import { toStatus } from './status.ts'

type UnaryCall = ServerUnaryCall<unknown, unknown>
type WritableCall = ServerWritableStream<unknown, unknown>
type DuplexCall = ServerDuplexStream<unknown, unknown>

/**
 * Makes a handler one of grpc-js. grpc-js does not await handlers: one that rejects would be an
 * unhandled rejection, and its caller would wait for its deadline. All of them go through `attend`.
 */
export const handleCall = (
  method: DescMethod,
  handler: UntypedHandler,
  env: CallEnv,
): UntypedHandleCall => {
  switch (method.methodKind) {
    case 'unary':
      return (call: UnaryCall, respond: sendUnaryData<unknown>) =>
        void attend(call, env, unaryWork(call, respond, handler))
    case 'server_streaming':
      return (call: WritableCall) => void attend(call, env, serverStreamWork(call, handler))
    case 'bidi_streaming':
      return (call: DuplexCall) => void attend(call, env, bidiWork(call, handler, env.clock))
    case 'client_streaming':
      assert(false, `${method.parent.typeName}.${method.name} has a kind Berth serves`)
  }
}

/** How one kind of call is performed and how it tells its caller. */
interface Work {
  readonly isStreaming: boolean
  /** Runs the handler; what it resolves to completes the call with OK. */
  readonly perform: (context: CallContext) => Promise<() => void>
  /** The call ends with this status. */
  readonly fail: (status: StatusObject, error: BerthError) => void
  /** The caller is gone; nobody can be told. */
  readonly abandon?: (reason: BerthError) => void
}

/** The only place where what a handler throws is caught, mapped and logged. */
const attend = async (
  call: UnaryCall | WritableCall | DuplexCall,
  env: CallEnv,
  work: Work,
): Promise<void> => {
  const open = openCall(call, work.isStreaming, env)
  const { context } = open
  let isAnswered = false
  const answer = (how: () => void) => {
    if (isAnswered) return
    isAnswered = true
    how()
  }
  const fail = (error: BerthError) =>
    answer(() => {
      if (call.cancelled) return work.abandon?.(error)
      const status = toStatus(error)
      status.metadata.set(CORRELATION_KEY, context.correlationId)
      work.fail(status, error)
    })
  // The caller is told at once, also when the handler is slow to notice its signal.
  context.signal.addEventListener('abort', () => fail(BerthError.from(context.signal.reason)))
  try {
    const refusal = work.isStreaming ? env.refusal() : undefined
    if (refusal) throw refusal
    answer(await work.perform(context))
  } catch (thrown) {
    const error = BerthError.from(thrown)
    if (!context.signal.aborted) logFailure(context, error)
    fail(error)
  } finally {
    open.close()
  }
}

const logFailure = ({ log, peer }: CallContext, error: BerthError) => {
  if (error.reason === 'INTERNAL') log.error({ err: error.cause ?? error, peer }, 'rpc failed')
  else log.debug({ reason: error.reason, detail: error.message, peer }, 'rpc refused')
}

const unaryWork = (
  call: UnaryCall,
  respond: sendUnaryData<unknown>,
  handler: UntypedHandler,
): Work => ({
  isStreaming: false,
  perform: async (context) => {
    const response = await handler(call.request, context)
    return () => {
      call.sendMetadata(responseMetadata(context))
      respond(null, response)
    }
  },
  fail: (status) => respond(status),
})

const serverStreamWork = (call: WritableCall, handler: UntypedHandler): Work => ({
  isStreaming: true,
  perform: async (context) => {
    call.sendMetadata(responseMetadata(context))
    for await (const message of handler(call.request, context) as AsyncIterable<unknown>) {
      context.signal.throwIfAborted()
      if (!call.write(message)) await drained(call, context.signal)
    }
    return () => call.end()
  },
  fail: (status) => call.emit('error', status),
})

const bidiWork = (call: DuplexCall, handler: UntypedHandler, clock: Clock): Work => {
  const owned = ownStream(call, {
    abandon: (error) => call.emit('error', toStatus(error)),
    confirmEnd: (end) => clock.after(0, end),
  })
  return {
    isStreaming: true,
    perform: async (context) => {
      // Headers at once: the caller learns that the stream stands before anything is sent.
      call.sendMetadata(responseMetadata(context))
      await handler(owned.stream, context)
      return () => owned.finish(() => call.end())
    },
    fail: (status, error) => {
      owned.failReader(error)
      owned.finish(() => call.emit('error', status))
    },
    abandon: (reason) => owned.fail(reason),
  }
}

const responseMetadata = (context: CallContext): Metadata => {
  const metadata = new Metadata()
  metadata.set(CORRELATION_KEY, context.correlationId)
  return metadata
}

const drained = (call: WritableCall, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const onDrain = () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }
    const onAbort = () => {
      call.off('drain', onDrain)
      reject(signal.reason as Error)
    }
    if (signal.aborted) return reject(signal.reason as Error)
    call.once('drain', onDrain)
    signal.addEventListener('abort', onAbort, { once: true })
  })
