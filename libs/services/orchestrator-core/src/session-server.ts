import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Acquire, ClientFrame, SessionRequest, SessionResponseSchema } from '@berth/contract'
import { BerthError, every, parseJobId, type Clock, type LeaseId } from '@berth/kernel'
import type { BidiStream, RpcLog } from '@berth/rpc'
import type { Coordinator } from './coordinator.ts'
import type { SessionKey } from './effects.ts'
import type { SessionSignal } from './session-signal.ts'
import { toAsk, toCounter, toHello, toLeaseResult, toUnreadable } from './wire-job.ts'
import { toFrame, type ServerFrameInit, type SessionTerms } from './wire-signal.ts'

/** The stream a gateway opened, from core's side. */
export type SessionStream = BidiStream<
  SessionRequest,
  MessageInitShape<typeof SessionResponseSchema>
>

/** The sessions of a core: streams in, signals out. */
export interface SessionServer extends Disposable {
  /** Serves one stream until it ends. Resolves in every case. */
  accept(stream: SessionStream, log: RpcLog): Promise<void>
  send(key: SessionKey, signal: SessionSignal): void
  close(key: SessionKey, error?: BerthError): void
  readonly size: number
}

interface OpenSession {
  readonly stream: SessionStream
  outbox: ServerFrameInit[]
  heardAtMs: number
}

export interface SessionServerOptions {
  readonly clock: Clock
  readonly terms: SessionTerms
  /** Messages a session may leave unread before it is dropped. */
  readonly maxBuffered: number
  coordinator(): Coordinator
}

/**
 * Frames made in the same turn travel as one message; a session that sends nothing for the
 * heartbeat timeout, or reads too slowly, is dropped and never waited for.
 */
export const createSessionServer = (options: SessionServerOptions): SessionServer => {
  const { clock, terms, coordinator } = options
  const sessions = new Map<SessionKey, OpenSession>()
  let lastKey: SessionKey = 0

  const drop = (key: SessionKey, error: BerthError) => {
    const session = sessions.get(key)
    if (!session) return
    sessions.delete(key)
    session.stream.destroy(error)
    coordinator().onSessionClosed(key)
  }
  const flush = (key: SessionKey, session: OpenSession) => {
    const frames = session.outbox
    session.outbox = []
    // Told before it was closed: those frames still leave.
    session.stream.send({ frames })
    if (session.stream.bufferedMessages > options.maxBuffered) {
      drop(key, new BerthError('SLOW_CONSUMER', 'The session does not read its messages.'))
    }
  }
  const send = (key: SessionKey, signal: SessionSignal) => {
    const session = sessions.get(key)
    if (!session) return
    if (session.outbox.length === 0) queueMicrotask(() => flush(key, session))
    session.outbox.push(toFrame(signal, terms))
  }
  const close = (key: SessionKey, error?: BerthError) => {
    const session = sessions.get(key)
    if (!session) return
    sessions.delete(key)
    if (error) return session.stream.destroy(error)
    // Behind the flush of what was told this turn.
    queueMicrotask(() => session.stream.end())
  }
  const beat = (key: SessionKey, { heardAtMs }: OpenSession) => {
    if (clock.now() - heardAtMs > terms.heartbeatTimeoutMs) drop(key, silent())
    else send(key, { kind: 'heartbeat', term: coordinator().core.role.term })
  }
  const beatAll = () => [...sessions].forEach(([key, session]) => beat(key, session))
  const stopBeat = every(clock, terms.heartbeatIntervalMs, beatAll)

  return {
    accept: async (stream, log) => {
      const key = (lastKey += 1)
      sessions.set(key, { stream, outbox: [], heardAtMs: clock.now() })
      try {
        await readFrames(stream, (frame, isFirst) => {
          const session = sessions.get(key)
          if (!session) return
          session.heardAtMs = clock.now()
          onFrame(coordinator(), key, frame, isFirst)
        })
      } catch (error) {
        breakOff(stream, log, error)
      } finally {
        sessions.delete(key)
        coordinator().onSessionClosed(key)
      }
    },
    send,
    close,
    get size() {
      return sessions.size
    },
    [Symbol.dispose]: stopBeat,
  }
}

const silent = () => new BerthError('CANCELLED', 'The session sent no heartbeat in time.')

const breakOff = (stream: SessionStream, log: RpcLog, error: unknown) => {
  const problem = BerthError.from(error)
  log.info({ reason: problem.reason, detail: problem.message }, 'session broke')
  stream.destroy(problem)
}

/** Frames after one that closed the session are dropped by `on`. */
const readFrames = async (
  stream: SessionStream,
  on: (frame: ClientFrame, isFirst: boolean) => void,
) => {
  let isFirst = true
  for await (const { frames } of stream.messages) {
    for (const frame of frames) {
      on(frame, isFirst)
      isFirst = false
    }
  }
}

const onFrame = (
  coordinator: Coordinator,
  key: SessionKey,
  { frame }: ClientFrame,
  isFirst: boolean,
) => {
  if ((frame.case === 'hello') !== isFirst) {
    throw new BerthError('INVALID_PARAMS', 'A session begins with one Hello.')
  }
  switch (frame.case) {
    case 'hello':
      return coordinator.onHello(key, toHello(frame.value))
    case 'acquire':
      return onAcquire(coordinator, key, frame.value)
    case 'cancel':
      return coordinator.onCancel(key, parseJobId(frame.value.jobId))
    case 'release': {
      const leaseId = frame.value.leaseId as LeaseId
      const sequence = toCounter(frame.value.sequence)
      return coordinator.onRelease(key, leaseId, toLeaseResult(frame.value), sequence)
    }
    // A heartbeat has done its work by arriving; the task frames come with the task directory, and
    // a frame of a newer version is none of ours.
    case 'heartbeat':
    case 'taskOwned':
    case 'taskEnded':
    case undefined:
      return
  }
}

/** A job that makes no sense is refused; the session lives on. */
const onAcquire = (coordinator: Coordinator, key: SessionKey, acquire: Acquire) => {
  let ask
  try {
    ask = toAsk(acquire)
  } catch (error) {
    return coordinator.onUnreadable(key, toUnreadable(acquire, BerthError.from(error)))
  }
  coordinator.onAcquire(key, ask)
}
