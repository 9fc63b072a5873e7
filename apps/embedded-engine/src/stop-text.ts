/** Looks for stop texts in an answer that comes in pieces. */
export interface StopText {
  /** The text that is safe to send now, and whether a stop text was met (it is never sent). */
  push(piece: string): { readonly text: string; readonly isStopped: boolean }
  /** What was held back when the answer ended without a stop text. */
  rest(): string
}

export const createStopText = (stops: readonly string[]): StopText => {
  let held = ''
  return {
    push: (piece) => {
      held += piece
      const found = stops.map((stop) => held.indexOf(stop)).filter((index) => index >= 0)
      if (found.length > 0) {
        const text = held.slice(0, Math.min(...found))
        held = ''
        return { text, isStopped: true }
      }
      const keep = Math.max(0, ...stops.map((stop) => overlap(held, stop)))
      const text = held.slice(0, held.length - keep)
      held = held.slice(held.length - keep)
      return { text, isStopped: false }
    },
    rest: () => held,
  }
}

/** How many characters at the end of `text` may be the beginning of `stop`. */
const overlap = (text: string, stop: string): number => {
  for (let size = Math.min(text.length, stop.length - 1); size > 0; size--)
    if (text.endsWith(stop.slice(0, size))) return size
  return 0
}
