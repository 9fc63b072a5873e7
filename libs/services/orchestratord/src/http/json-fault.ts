/** Nested deeper than this, a body is refused; no API needs a tenth of it. */
export const MAX_JSON_DEPTH = 100

export interface JsonFault {
  /** Characters before the fault. */
  readonly position: number
  readonly kind: 'syntax' | 'depth'
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y

const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const WORD = /true|false|null/y
const SPACE = /[ \t\r\n]*/y

/**
 * Where a text stops being JSON (RFC 8259), or nests too deep. Only for texts that the platform's
 * parser refused: it does not always say where.
 */
export const findJsonFault = (text: string): JsonFault | undefined => {
  let at = 0
  const closers: string[] = []
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = at
    if (!pattern.test(text)) return false
    at = pattern.lastIndex
    return true
  }
  const syntax = (): JsonFault => ({ position: at, kind: 'syntax' })
  const key = (): boolean => skip(STRING) && skip(SPACE) && text[at] === ':' && ++at > 0

  for (;;) {
    skip(SPACE)
    const opener = text[at]
    if (opener === '{' || opener === '[') {
      if (closers.length === MAX_JSON_DEPTH) return { position: at, kind: 'depth' }
      at += 1
      closers.push(opener === '{' ? '}' : ']')
      skip(SPACE)
      if (text[at] !== closers.at(-1)) {
        if (opener === '{' && !key()) return syntax()
        continue
      }
    } else if (!skip(STRING) && !skip(NUMBER) && !skip(WORD)) return syntax()
    else skip(SPACE)

    while (closers.length > 0 && text[at] === closers.at(-1)) {
      at += 1
      closers.pop()
      skip(SPACE)
    }
    if (closers.length === 0) return at === text.length ? undefined : syntax()
    if (text[at] !== ',') return syntax()
    at += 1
    skip(SPACE)
    if (closers.at(-1) === '}' && !key()) return syntax()
  }
}

/** True when brackets outside of strings nest deeper than allowed. One pass over the bytes. */
export const nestsTooDeep = (bytes: Uint8Array): boolean => {
  let depth = 0
  let isInString = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (isInString) {
      if (byte === 0x5c) i += 1
      else if (byte === 0x22) isInString = false
    } else if (byte === 0x22) isInString = true
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1
      if (depth > MAX_JSON_DEPTH) return true
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1
  }
  return false
}
