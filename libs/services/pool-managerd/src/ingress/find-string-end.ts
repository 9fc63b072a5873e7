const QUOTE = 0x22
const BACKSLASH = 0x5c

/** How a piece of a JSON text ends a string that it begins inside of. */
export interface StringEnd {
  /** Behind the closing quote; -1 when the string goes on in the next piece. */
  readonly behind: number
  /** The next piece begins with a character that is escaped. */
  readonly isEscaped: boolean
}

/** Finds the end of a JSON string; most of a body is strings, so the search is the runtime's own. */
export const findStringEnd = (bytes: Buffer, from: number, isEscaped: boolean): StringEnd => {
  const start = isEscaped ? from + 1 : from
  for (let at = start; ;) {
    const quote = bytes.indexOf(QUOTE, at)
    const end = quote < 0 ? bytes.length : quote
    let backslashes = 0
    while (end - backslashes > start && bytes[end - backslashes - 1] === BACKSLASH) backslashes += 1
    const escapes = backslashes % 2 === 1
    if (quote < 0) return { behind: -1, isEscaped: escapes }
    if (!escapes) return { behind: quote + 1, isEscaped: false }
    at = quote + 1
  }
}
