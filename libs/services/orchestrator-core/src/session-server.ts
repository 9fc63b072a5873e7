import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ClientFrame, SessionRequest, SessionResponseSchema } from '@berth/contract'
import { BerthError, every, parseJobId, type Clock, type LeaseId } from '@berth/kernel'
import type { BidiStream, RpcLog } from '@berth/rpc'
import type { Coordinator } from './coordinator.ts'
import type { SessionKey } from './effects.ts'
import type { SessionSignal } from './session-signal.ts'
import { toAsk, toHello, toLeaseResult } from './wire-job.ts'
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
  const beat = () => {
    const now = clock.now()
    const { term } = coordinator().core.role
    for (const [key, session] of [...sessions]) {
      if (now - session.heardAtMs > terms.heartbeatTimeoutMs) {
        drop(key, new BerthError('CANCELLED', 'The session sent no heartbeat in time.'))
      } else send(key, { kind: 'heartbeat', term })
    }
  }
  const stopBeat = every(clock, terms.heartbeatIntervalMs, beat)

  const accept = async (stream: SessionStream, log: RpcLog) => {
    const key = (lastKey += 1)
    const session: OpenSession = { stream, outbox: [], heardAtMs: clock.now() }
    sessions.set(key, session)
    let isFirst = true
    try {
      for await (const { frames } of stream.messages) {
        session.heardAtMs = clock.now()
        for (const frame of frames) {
          // A frame that closed the session ends what came with it.
          if (!sessions.has(key)) break
          onFrame(coordinator(), key, frame, { isFirst, send })
          isFirst = false
        }
      }
    } catch (error) {
      const problem = BerthError.from(error)
      log.info({ reason: problem.reason, detail: problem.message }, 'session broke')
      stream.destroy(problem)
    } finally {
      sessions.delete(key)
      coordinator().onSessionClosed(key)
    }
  }
  return {
    accept,
    send,
    close,
    get size() {
      return sessions.size
    },
    [Symbol.dispose]: stopBeat,
  }
}

interface FrameContext {
  readonly isFirst: boolean
  send(key: SessionKey, signal: SessionSignal): void
}

const onFrame = (
  coordinator: Coordinator,
  key: SessionKey,
  { frame }: ClientFrame,
  { isFirst, send }: FrameContext,
) => {
  if ((frame.case === 'hello') !== isFirst) {
    throw new BerthError('INVALID_PARAMS', 'A session begins with one Hello.')
  }
  switch (frame.case) {
    case 'hello':
      return coordinator.onHello(key, toHello(frame.value))
    case 'acquire':
      return onAcquire(coordinator, key, frame.value, send)
    case 'cancel':
      return coordinator.onCancel(key, parseJobId(frame.value.jobId))
    case 'release': {
      const leaseId = frame.value.leaseId as LeaseId
      return coordinator.onRelease(key, leaseId, toLeaseResult(frame.value))
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
const onAcquire = (
  coordinator: Coordinator,
  key: SessionKey,
  acquire: Parameters<typeof toAsk>[0],
  send: FrameContext['send'],
) => {
  let ask
  try {
    ask = toAsk(acquire)
  } catch (error) {
    const { reason, message } = BerthError.from(error)
    const refusal = { retryAfterMs: 0, policyLabel: '', placementReason: '' }
    const jobId = acquire.jobId as ReturnType<typeof parseJobId>
    return send(key, { kind: 'rejected', jobId, reason, message, ...refusal })
  }
  coordinator.onAcquire(key, ask)
}
