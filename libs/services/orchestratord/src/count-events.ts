const NEWLINE = 0x0a
const DATA = Buffer.from('data:')
const DONE = Buffer.from('data: [DONE]')

/**
 * Events in whole lines of an event stream, the closing mark not counted. An engine sends one for
 * each token, or few: this is what is known of an answer that never came to its usage.
 */
export const countEvents = (lines: Uint8Array): number => {
  let events = 0
  for (let start = 0; start < lines.length;) {
    if (beginsWith(lines, start, DATA) && !beginsWith(lines, start, DONE)) events += 1
    const end = lines.indexOf(NEWLINE, start)
    if (end < 0) break
    start = end + 1
  }
  return events
}

const beginsWith = (bytes: Uint8Array, at: number, word: Uint8Array): boolean => {
  for (let index = 0; index < word.length; index++) {
    if (bytes[at + index] !== word[index]) return false
  }
  return true
}
