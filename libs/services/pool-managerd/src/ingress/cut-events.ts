/** An event that is longer goes by in parts. */
const EVENT_MAX_BYTES = 16_777_216

const LF = 0x0a
const CR = 0x0d

/** Cuts an event stream that comes in pieces of any size into whole events. */
export interface EventCutter {
  /** The events that are whole now, each with the empty line behind it. */
  push(piece: Buffer): Buffer[]
  /** What came behind the last whole event. */
  rest(): Buffer
}

/** Lines end with LF or CRLF, as those of all engines do. */
export const createEventCutter = (): EventCutter => {
  let held: Buffer[] = []
  let heldBytes = 0
  /** What the last bytes were: part of a line, its end, or its end and a CR. */
  let behind: 'text' | 'line' | 'line_cr' = 'text'

  const take = (last: Buffer): Buffer => {
    const event = held.length === 0 ? last : Buffer.concat([...held, last])
    held = []
    heldBytes = 0
    return event
  }
  return {
    push: (piece) => {
      const events: Buffer[] = []
      let from = 0
      for (let at = 0; at < piece.length; at += 1) {
        if (behind === 'text') {
          at = piece.indexOf(LF, at)
          if (at < 0) break
          behind = 'line'
        } else if (piece[at] === LF) {
          events.push(take(piece.subarray(from, at + 1)))
          from = at + 1
          behind = 'text'
        } else behind = piece[at] === CR && behind === 'line' ? 'line_cr' : 'text'
      }
      if (from === piece.length) return events
      held.push(piece.subarray(from))
      heldBytes += piece.length - from
      if (heldBytes > EVENT_MAX_BYTES) events.push(take(Buffer.alloc(0)))
      return events
    },
    rest: () => take(Buffer.alloc(0)),
  }
}

/** What an event says: its `data` lines, joined. Empty for a comment. */
export const dataOf = (event: Buffer): string => {
  const text = event.toString()
  // Nearly every event is one such line.
  if (text.startsWith('data:') && text.indexOf('\n') >= text.trimEnd().length)
    return text.slice(5).trim()
  return text
    .split('\n')
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5).trim())
    .join('\n')
}
