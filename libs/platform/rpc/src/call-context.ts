import { BerthError, type Clock, type Rng } from '@berth/kernel'
import type { Deadline, Metadata } from '@grpc/grpc-js'
import type { EventEmitter } from 'node:events'
import { readCorrelationId } from './correlation-id.ts'
import type { RpcLog } from './rpc-log.ts'

/**
 * What a handler knows about its call. Passed on as the options of a client call, it propagates
 * correlation id, deadline and cancellation.
 */
export interface CallContext {
  readonly correlationId: string
  /** Aborted, with a `BerthError`, when the caller left, the deadline passed or we shut down. */
  readonly signal: AbortSignal
  /** Milliseconds left now; undefined when the caller set no deadline. */
  readonly deadlineMs: number | undefined
  /** Carries the method and the correlation id. */
  readonly log: RpcLog
  /** Address of the caller, `host:port`. */
  readonly peer: string
}

/** A call in progress: what drain needs to know and do. */
export interface OpenCall {
  readonly context: CallContext
  readonly isStreaming: boolean
  abort(reason: BerthError): void
  /** The handler is done: whatever happens to the call now concerns nobody. */
  close(): void
}

/** What all calls of one server share. */
export interface CallEnv {
  readonly log: RpcLog
  readonly clock: Clock
  /** For the correlation ids of callers that sent none. */
  readonly rng: Rng
  readonly calls: Set<OpenCall>
  /** Set once the server drains: streaming calls are refused with it. */
  readonly refusal: () => BerthError | undefined
}

interface ServerCall extends EventEmitter {
  readonly metadata: Metadata
  getPeer(): string
  getPath(): string
  getDeadline(): Deadline
}

/** Registers a call of grpc-js and links its end to the signal of its context. */
export const openCall = (call: ServerCall, isStreaming: boolean, env: CallEnv): OpenCall => {
  const controller = new AbortController()
  const correlationId = readCorrelationId(call.metadata, env.rng)
  const onCancelled = () => controller.abort(whyCancelled(call, env.clock))
  let log: RpcLog | undefined
  const open: OpenCall = {
    isStreaming,
    context: {
      correlationId,
      signal: controller.signal,
      peer: call.getPeer(),
      get deadlineMs() {
        return msLeft(call.getDeadline(), env.clock)
      },
      // Made when first used: most calls log nothing.
      get log() {
        log ??= env.log.child({ correlationId, method: call.getPath() })
        return log
      },
    },
    abort: (reason) => controller.abort(reason),
    close: () => {
      env.calls.delete(open)
      call.off('cancelled', onCancelled)
    },
  }
  call.on('cancelled', onCancelled)
  env.calls.add(open)
  return open
}

const whyCancelled = (call: ServerCall, clock: Clock): BerthError =>
  msLeft(call.getDeadline(), clock) === 0
    ? new BerthError('RPC_DEADLINE', `The deadline of ${call.getPath()} passed.`)
    : new BerthError('CANCELLED', `The caller of ${call.getPath()} went away.`)

/** grpc-js keeps deadlines as wall time. */
const msLeft = (deadline: Deadline, clock: Clock): number | undefined => {
  const at = Number(deadline)
  return Number.isFinite(at) ? Math.max(0, at - clock.wall()) : undefined
}
