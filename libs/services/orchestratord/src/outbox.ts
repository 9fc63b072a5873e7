import { create } from '@bufbuild/protobuf'
import { SessionRequestSchema, type ClientFrame } from '@berth/contract'
import type { Link } from './session-link.ts'

/** A session further behind than this is dropped, not waited for. */
const MAX_BUFFERED_MESSAGES = 1_000

/** The longest frame has some 16 KiB, the longest message that core takes 16 MiB. */
const MAX_FRAMES = 500

/** Frames on their way to core: those of one turn travel as one message, many as several. */
export interface Outbox {
  push(frame: ClientFrame): void
  /** Sends what waits, now. */
  flush(): void
  /** Starts sending to a link; frames that waited go first. */
  attach(link: Link): void
  /** Stops sending and gives back what was not sent. */
  detach(): readonly ClientFrame[]
}

/** `defer` calls its function at the end of the turn of the event loop. */
export const createOutbox = (options: {
  readonly defer: (fn: () => void) => void
  readonly onOverflow: () => void
}): Outbox => {
  let frames: ClientFrame[] = []
  let link: Link | undefined
  let isDeferred = false

  const flush = () => {
    isDeferred = false
    if (link === undefined || frames.length === 0) return
    const batch = frames
    frames = []
    for (let at = 0; at < batch.length; at += MAX_FRAMES) {
      link.send(create(SessionRequestSchema, { frames: batch.slice(at, at + MAX_FRAMES) }))
    }
    if (link.bufferedMessages > MAX_BUFFERED_MESSAGES) options.onOverflow()
  }
  return {
    flush,
    push: (frame) => {
      frames.push(frame)
      if (isDeferred || link === undefined) return
      isDeferred = true
      options.defer(flush)
    },
    attach: (to) => {
      link = to
      flush()
    },
    detach: () => {
      const unsent = frames
      frames = []
      link = undefined
      return unsent
    },
  }
}
