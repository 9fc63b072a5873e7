import { BerthError } from '@berth/kernel'
import type { ClientDuplexStream, ServerDuplexStream } from '@grpc/grpc-js'
import { createInbox } from './inbox.ts'
import { createOutbox } from './outbox.ts'

/** From here on `send` says false: the peer reads more slowly than this side writes. */
export const SEND_HIGH_WATER = 1_000
/** Messages that may wait to be sent. One more ends the stream with `SLOW_CONSUMER`. */
export const SEND_LIMIT = 10_000
/** One side of a stream on which both sides send when they like. */
export interface BidiStream<In, Out> {
  /**
   * What the other side sends, for one reader. Reading slowly slows the sender down. Ends when the
   * other side ended; throws a `BerthError` when the call failed.
   */
  readonly messages: AsyncIterable<In>
  /**
   * Queues a message. False: it was dropped because the stream is over, or it was queued but
   * `SEND_HIGH_WATER` or more now wait. Past `SEND_LIMIT` the stream ends with `SLOW_CONSUMER`.
   */
  send(message: Out): boolean
  /** Messages queued and not yet handed to the connection. */
  readonly bufferedMessages: number
  /** Nothing more will be sent from here; what is queued still goes out. */
  end(): void
  /** Breaks the call at once, drops what is queued, and makes `messages` throw `error`. */
  destroy(error: BerthError): void
}

/** A stream and what only its owner may do with it. */
export interface OwnedStream<In, Out> {
  readonly stream: BidiStream<In, Out>
  /** Sends what is queued, then calls `last` instead of ending. */
  readonly finish: (last: () => void) => void
  /** Nothing is sent any more, and `messages` throws once it gave what it holds. */
  readonly fail: (error: BerthError) => void
  /** As `fail`, but everything that grpc-js still holds is read first. */
  readonly failAtEnd: (error: BerthError) => void
  /** `messages` throws once it gave what it holds; what is queued still goes out. */
  readonly failReader: (error: BerthError) => void
}

type DuplexCall = ClientDuplexStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>

export interface StreamHooks {
  /** Breaks the call itself. */
  readonly abandon: (error: BerthError) => void
  /**
   * Calls back when an end that grpc-js reported is one. On a server, a connection that breaks
   * looks like an end first and like a cancellation a moment later.
   */
  readonly confirmEnd: (end: () => void) => void
}

/** Puts a bounded inbox and a bounded outbox around a grpc-js duplex call of either side. */
export const ownStream = <In, Out>(call: DuplexCall, hooks: StreamHooks): OwnedStream<In, Out> => {
  const inbox = createInbox<In>(call)
  const outbox = createOutbox<Out>(call)
  let failure: BerthError | undefined
  let isOver = false

  const finish = (last: () => void) => {
    if (isOver) return
    isOver = true
    outbox.whenEmpty(last)
  }
  const stopSending = () => {
    isOver = true
    outbox.clear()
  }
  const fail = (error: BerthError) => {
    stopSending()
    inbox.fail(error)
  }
  const failAtEnd = (error: BerthError) => {
    stopSending()
    failure = error
  }
  const destroy = (error: BerthError) => {
    fail(error)
    hooks.abandon(error)
  }
  const send = (message: Out): boolean => {
    if (isOver) return false
    outbox.push(message)
    const waiting = outbox.size()
    if (waiting > SEND_LIMIT) destroy(slowConsumer(waiting))
    return waiting < SEND_HIGH_WATER
  }

  call.on('data', (message: In) => inbox.push(message))
  call.on('end', () => {
    if (failure) inbox.fail(failure)
    else hooks.confirmEnd(inbox.end)
  })
  const stream: BidiStream<In, Out> = {
    messages: inbox,
    send,
    end: () => finish(() => call.end()),
    destroy,
    get bufferedMessages() {
      return outbox.size()
    },
  }
  return { stream, finish, fail, failAtEnd, failReader: inbox.fail }
}

const slowConsumer = (waiting: number) =>
  new BerthError('SLOW_CONSUMER', `The peer does not read: ${waiting} messages waited for it.`, {
    facts: { buffered_messages: waiting, limit: SEND_LIMIT },
  })
