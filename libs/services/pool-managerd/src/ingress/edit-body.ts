import { findStringEnd } from './find-string-end.ts'

/** The edits a body may get on its way to the engine; everything else of it stays as it is. */
export interface BodyEdits {
  /** A field the body lacks, and its number: the seed of a strict job. */
  readonly seed?: { readonly field: string; readonly value: string } | undefined
  /** The engine is to count tokens in what it streams. */
  readonly asksUsage: boolean
  /** The engine is to stream, whatever the client asked for. */
  readonly mustStream: boolean
  /**
   * The model of the lease. It is said last: engines take the last of several, and some read
   * `Model` and `MODEL` as well, so that no other one can be meant. Absent: as the client says.
   */
  readonly model?: string | undefined
}

/** What the client asked for, as its body was read so far. */
export interface Asked {
  /** `unclear`: a value that is neither true, false nor null, for the engine to judge. */
  readonly stream: 'yes' | 'no' | 'unclear'
  readonly usage: boolean
}

/** Edits a JSON object that comes in pieces, whatever its size, and hardly looks into its values. */
export interface BodyEditor {
  readonly asked: Asked
  push(piece: Buffer): Buffer[]
  end(): Buffer[]
}

/** No literal that is changed is longer; a key that is longer is none of those looked for. */
const TOKEN_MAX = 128

type Place =
  | 'before'
  | 'key'
  | 'in_key'
  | 'colon'
  | 'value'
  | 'literal'
  | 'string'
  | 'nested'
  | 'nested_string'
  | 'after'
  | 'passed'

/** What is read of one JSON object: where the reader stands, and what it met. */
interface Reading {
  place: Place
  /** Inside the value of `stream_options`. */
  isInOptions: boolean
  isEmpty: boolean
  isOptionsEmpty: boolean
  isEscaped: boolean
  depth: number
  /** The key or literal at hand. */
  token: string
  key: string
  stream: Asked['stream']
  hasStream: boolean
  usage: boolean
  hasUsage: boolean
  options: 'none' | 'null' | 'given'
  isSeedOwed: boolean
}

export const createBodyEditor = (edits: BodyEdits): BodyEditor => {
  const reading: Reading = {
    ...{ place: 'before', isInOptions: false, isEmpty: true, isOptionsEmpty: true },
    ...{ isEscaped: false, depth: 0, token: '', key: '' },
    ...{ stream: 'no', hasStream: false, usage: false, hasUsage: false, options: 'none' },
    isSeedOwed: edits.seed !== undefined,
  }
  return {
    get asked() {
      return { stream: reading.stream, usage: reading.usage }
    },
    push: (piece) => readPiece(reading, edits, piece),
    end: () => (reading.place === 'literal' ? [Buffer.from(reading.token)] : []),
  }
}

/** Where the bytes of a piece go: those before `from` are sent, or changed. */
interface Piece {
  readonly bytes: Buffer
  readonly out: Buffer[]
  from: number
  at: number
}

const readPiece = (reading: Reading, edits: BodyEdits, bytes: Buffer): Buffer[] => {
  const piece: Piece = { bytes, out: [], from: 0, at: 0 }
  while (piece.at < bytes.length && reading.place !== 'passed') takeNext(reading, edits, piece)
  // A literal at the end is held until it is known whole.
  if (reading.place !== 'literal' || !isLookedFor(reading)) sendUpTo(piece, bytes.length)
  return piece.out
}

const sendUpTo = (piece: Piece, end: number) => {
  if (end > piece.from) piece.out.push(piece.bytes.subarray(piece.from, end))
  piece.from = end
}

const insert = (piece: Piece, text: string) => {
  sendUpTo(piece, piece.at)
  piece.out.push(Buffer.from(text))
}

const takeNext = (reading: Reading, edits: BodyEdits, piece: Piece): void => {
  const byte = piece.bytes[piece.at]!
  switch (reading.place) {
    case 'string':
    case 'nested_string':
      return skipString(reading, piece)
    case 'in_key':
      return readKey(reading, piece)
    case 'literal':
      return readLiteral(reading, edits, piece, byte)
    case 'nested':
      return skipNested(reading, piece, byte)
    case 'before':
      piece.at += 1
      if (!isSpace(byte)) reading.place = byte === OPEN ? 'key' : 'passed'
      return
    case 'key':
      return beginKey(reading, edits, piece, byte)
    case 'colon':
      piece.at += 1
      if (byte === COLON) reading.place = 'value'
      return
    case 'value':
      return beginValue(reading, piece, byte)
    case 'after':
      if (byte === CLOSE) return closeObject(reading, edits, piece)
      piece.at += 1
      if (byte === COMMA) reading.place = 'key'
      return
    case 'passed':
  }
}

const skipString = (reading: Reading, piece: Piece) => {
  const { behind, isEscaped } = findStringEnd(piece.bytes, piece.at, reading.isEscaped)
  reading.isEscaped = isEscaped
  piece.at = behind < 0 ? piece.bytes.length : behind
  if (behind >= 0) reading.place = reading.place === 'string' ? 'after' : 'nested'
}

const skipNested = (reading: Reading, piece: Piece, byte: number) => {
  piece.at += 1
  if (byte === QUOTE) reading.place = 'nested_string'
  else if (byte === OPEN || byte === OPEN_LIST) reading.depth += 1
  else if ((byte === CLOSE || byte === CLOSE_LIST) && --reading.depth === 0) reading.place = 'after'
}

const beginKey = (reading: Reading, edits: BodyEdits, piece: Piece, byte: number) => {
  if (isSpace(byte)) {
    piece.at += 1
    return
  }
  if (reading.isSeedOwed && edits.seed) {
    reading.isSeedOwed = false
    const comma = byte === CLOSE ? '' : ','
    insert(piece, `"${edits.seed.field}":${edits.seed.value}${comma}`)
    if (byte === CLOSE) reading.isEmpty = false
  }
  if (byte === CLOSE) return closeObject(reading, edits, piece)
  piece.at += 1
  reading.token = ''
  // What is no JSON is the engine's to refuse, as it came.
  reading.place = byte === QUOTE ? 'in_key' : 'passed'
}

const readKey = (reading: Reading, piece: Piece) => {
  const { bytes, at } = piece
  const { behind, isEscaped } = findStringEnd(bytes, at, reading.isEscaped)
  reading.isEscaped = isEscaped
  piece.at = behind < 0 ? bytes.length : behind
  const end = behind < 0 ? bytes.length : behind - 1
  if (reading.token.length <= TOKEN_MAX)
    reading.token += bytes.toString('latin1', at, Math.min(end, at + TOKEN_MAX + 1))
  if (behind < 0) return
  reading.key = unescaped(reading.token)
  reading.place = 'colon'
}

const beginValue = (reading: Reading, piece: Piece, byte: number) => {
  if (isSpace(byte)) {
    piece.at += 1
    return
  }
  if (reading.isInOptions) reading.isOptionsEmpty = false
  else reading.isEmpty = false
  const isOptions = !reading.isInOptions && reading.key === 'stream_options'
  if (isOptions) reading.options = 'given'
  noteKey(reading)
  if (byte === QUOTE || byte === OPEN || byte === OPEN_LIST) piece.at += 1
  if (byte === QUOTE) reading.place = 'string'
  else if (byte === OPEN && isOptions) {
    reading.place = 'key'
    reading.isInOptions = true
    reading.isOptionsEmpty = true
    reading.hasUsage = false
    reading.usage = false
  } else if (byte === OPEN || byte === OPEN_LIST) {
    reading.place = 'nested'
    reading.depth = 1
  } else {
    reading.token = ''
    if (isLookedFor(reading)) sendUpTo(piece, piece.at)
    reading.place = 'literal'
  }
}

/** A key that is looked for, whatever its value turns out to be. */
const noteKey = (reading: Reading) => {
  if (reading.isInOptions) {
    if (reading.key === 'include_usage') reading.hasUsage = true
  } else if (reading.key === 'stream') {
    reading.hasStream = true
    reading.stream = 'unclear'
  }
}

const isLookedFor = ({ isInOptions, key }: Reading): boolean =>
  isInOptions ? key === 'include_usage' : key === 'stream' || key === 'stream_options'

const readLiteral = (reading: Reading, edits: BodyEdits, piece: Piece, byte: number) => {
  const isOver = isSpace(byte) || byte === COMMA || byte === CLOSE || byte === CLOSE_LIST
  if (!isLookedFor(reading)) {
    if (isOver) reading.place = 'after'
    else piece.at += 1
    return
  }
  if (!isOver && reading.token.length < TOKEN_MAX) {
    reading.token += String.fromCharCode(byte)
    piece.at += 1
    return
  }
  piece.from = piece.at
  piece.out.push(Buffer.from(changed(reading, edits)))
  reading.place = isOver ? 'after' : 'passed'
}

/** The literal as the engine gets it, once it is noted what the client said. */
const changed = (reading: Reading, edits: BodyEdits): string => {
  const { token, key, isInOptions } = reading
  const isOff = token === 'false' || token === 'null'
  if (isInOptions) {
    reading.usage = token === 'true'
    return isOff && edits.asksUsage ? 'true' : token
  }
  if (key === 'stream_options') {
    if (token === 'null') reading.options = 'null'
    return token
  }
  reading.stream = token === 'true' ? 'yes' : isOff ? 'no' : 'unclear'
  return isOff && edits.mustStream ? 'true' : token
}

const closeObject = (reading: Reading, edits: BodyEdits, piece: Piece) => {
  if (reading.isInOptions) {
    if (edits.asksUsage && !reading.hasUsage)
      insert(piece, `${reading.isOptionsEmpty ? '' : ','}"include_usage":true`)
    reading.isInOptions = false
    reading.place = 'after'
  } else {
    const fields = missing(reading, edits)
    if (fields.length > 0) insert(piece, `${reading.isEmpty ? '' : ','}${fields.join()}`)
    reading.place = 'passed'
  }
  piece.at += 1
}

/** A `stream_options` of null comes twice then: readers of JSON take the last. */
const missing = (reading: Reading, { mustStream, asksUsage, model }: BodyEdits): string[] => {
  const isStreamed = mustStream ? reading.stream !== 'unclear' : reading.stream === 'yes'
  return [
    ...(mustStream && !reading.hasStream ? ['"stream":true'] : []),
    ...(asksUsage && isStreamed && reading.options !== 'given'
      ? ['"stream_options":{"include_usage":true}']
      : []),
    ...(model === undefined ? [] : [`"model":${JSON.stringify(model)}`]),
  ]
}

const unescaped = (raw: string): string => {
  if (!raw.includes('\\')) return raw
  try {
    return JSON.parse(`"${raw}"`) as string
  } catch {
    // No key that is looked for: the engine says what is wrong with it.
    return raw
  }
}

const OPEN = 0x7b
const CLOSE = 0x7d
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const QUOTE = 0x22
const COLON = 0x3a
const COMMA = 0x2c

const isSpace = (byte: number) => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d
