import { create } from '@bufbuild/protobuf'
import {
  SessionRequestSchema,
  type Hello,
  type NotLeader,
  type ServerFrame,
  type SessionRequest,
  type SessionResponse,
  type Welcome,
} from '@berth/contract'
import { every, messageOf, type Cancel, type Clock } from '@berth/kernel'
import { heartbeatFrame, helloFrame } from './frames.ts'

/** One open stream to a core, as a port. `messages` ends or throws when it breaks. */
export interface Link {
  readonly messages: AsyncIterable<SessionResponse>
  send(message: SessionRequest): void
  readonly bufferedMessages: number
  /** Says goodbye: what was sent still arrives, and then core ends `messages`. */
  end?(): void
  close(): void
}

/** How a session ended. `wasUp` says that core had welcomed it. */
export type LinkEnd =
  | {
      readonly kind: 'not_leader'
      readonly address: string
      readonly term: bigint
      readonly wasUp: boolean
    }
  | { readonly kind: 'broken'; readonly why: string; readonly wasUp: boolean }
  | { readonly kind: 'closed' }

export interface LinkOptions {
  readonly link: Link
  readonly hello: Hello
  readonly clock: Clock
  readonly signal: AbortSignal
  onUp(welcome: Welcome): void
  onFrame(frame: ServerFrame): void
}

const HEARTBEAT_MS = 1_000
/** Until core's own numbers are known. Source: architecture, session between gateway and core. */
const SILENCE_MS = 5_000
/** A core that says nothing to a Hello for this long is not there. */
const WELCOME_MS = 2_000
/** For the last frames of a session to reach core. */
const GOODBYE_MS = 1_000

/** Runs one session from Hello to its end, whatever that is. Never rejects. */
export const runLink = async (options: LinkOptions): Promise<LinkEnd> => {
  const { link, clock, hello, signal } = options
  const ended = Promise.withResolvers<LinkEnd>()
  let heardAtMs = clock.now()
  let welcome: Welcome | undefined

  let isOver = false
  const finish = (end: LinkEnd) => {
    isOver = true
    ended.resolve(end)
  }
  let isLeaving = false
  const breakOff = (why: string) => {
    if (isLeaving) finish({ kind: 'closed' })
    else finish({ kind: 'broken', why, wasUp: welcome !== undefined })
  }

  const onFrame = (frame: ServerFrame) => {
    // What still arrives after the end belongs to a session that is no more.
    if (isOver) return
    switch (frame.frame.case) {
      case 'welcome':
        // A leader of an older term does not know yet that it was replaced.
        if (frame.frame.value.term < hello.term) return breakOff('the leader is of an old term')
        welcome = frame.frame.value
        return options.onUp(welcome)
      case 'notLeader':
        return finish(toNotLeader(frame.frame.value, welcome !== undefined))
      default:
        if (welcome === undefined) return breakOff('core spoke before its welcome')
        return options.onFrame(frame)
    }
  }
  const beat = () => {
    const silenceMs = welcome ? welcome.heartbeatTimeoutMs || SILENCE_MS : WELCOME_MS
    if (isLeaving) return
    if (clock.now() - heardAtMs > silenceMs) return breakOff(`core was silent for ${silenceMs} ms`)
    if (welcome) link.send(create(SessionRequestSchema, { frames: [heartbeatFrame(welcome.term)] }))
  }
  const onMessage = ({ frames }: SessionResponse) => {
    heardAtMs = clock.now()
    frames.forEach(onFrame)
  }
  let stopLeaving: Cancel = () => undefined
  const onAbort = () => {
    if (!welcome || !link.end) return finish({ kind: 'closed' })
    isLeaving = true
    stopLeaving = clock.after(GOODBYE_MS, () => finish({ kind: 'closed' }))
    link.end()
  }
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  const stopBeating = every(clock, HEARTBEAT_MS, beat)
  link.send(create(SessionRequestSchema, { frames: [helloFrame(hello)] }))
  void readAll(link, onMessage).then(breakOff)
  try {
    return await ended.promise
  } finally {
    stopBeating()
    stopLeaving()
    signal.removeEventListener('abort', onAbort)
    link.close()
  }
}

const toNotLeader = ({ address, term }: NotLeader, wasUp: boolean): LinkEnd => ({
  ...{ kind: 'not_leader', address, term, wasUp },
})

/** Resolves with why there is no more. */
const readAll = async (link: Link, on: (message: SessionResponse) => void): Promise<string> => {
  try {
    for await (const message of link.messages) on(message)
    return 'core ended the stream'
  } catch (error) {
    return messageOf(error)
  }
}
