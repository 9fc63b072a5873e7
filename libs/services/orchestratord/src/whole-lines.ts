/** A line longer than this is passed on in pieces. */
const MAX_HELD_BYTES = 256 * 1024
const NEWLINE = 0x0a

/** Passes bytes on up to the last line end and holds the rest until its line is whole. */
export const createWholeLines = () => {
  let held: Uint8Array[] = []
  let heldBytes = 0

  const takeWith = (tail: Uint8Array): Uint8Array => {
    if (held.length === 0) return tail
    const all = Buffer.concat([...held, tail])
    held = []
    heldBytes = 0
    return all
  }
  const hold = (rest: Uint8Array) => {
    if (rest.length === 0) return
    held.push(rest)
    heldBytes += rest.length
  }
  return {
    /** What may go out now; often the chunk itself, without a copy. */
    push: (chunk: Uint8Array): Uint8Array => {
      const end = chunk.lastIndexOf(NEWLINE) + 1
      if (end === 0 && heldBytes + chunk.length > MAX_HELD_BYTES) return takeWith(chunk)
      if (end === 0) {
        hold(chunk)
        return chunk.subarray(0, 0)
      }
      const ready = takeWith(chunk.subarray(0, end))
      hold(chunk.subarray(end))
      return ready
    },
    /** The last line when it has no end of its own. */
    rest: (): Uint8Array => takeWith(new Uint8Array()),
  }
}
