import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import { Transform } from 'node:stream'

const SEED = /^\d{1,19}$/

/** A field that the body of a request lacks, and its value. */
export interface SeedEdit {
  /** What goes in behind the first brace, comma and all. */
  readonly insertion: string
}

/**
 * The edit a strict job asks for: its seed travels as `Berth-Seed`, because the client gave none.
 * Undefined without that header, and for an engine that takes no seed.
 */
export const readSeedEdit = (
  headers: IncomingHttpHeaders,
  field: string | undefined,
): SeedEdit | undefined => {
  const seed = headers['berth-seed']
  if (field === undefined || typeof seed !== 'string' || !SEED.test(seed)) return undefined
  return { insertion: `"${field}":${seed},` }
}

/** The headers of the edited body. */
export const lengthened = (headers: OutgoingHttpHeaders, edit: SeedEdit): OutgoingHttpHeaders => {
  const length = Number(headers['content-length'])
  if (!Number.isSafeInteger(length)) return headers
  return { ...headers, 'content-length': length + edit.insertion.length }
}

/**
 * Puts the field into a JSON object as it goes by; all other bytes stay what and where they are. It
 * grows every body by the length of the insertion, as was promised by `content-length`: in an empty
 * object a space stands for the comma, and what is no object gets spaces, for the engine to refuse.
 */
export const createSeedInsertion = ({ insertion }: SeedEdit): Transform => {
  let place: 'before the brace' | 'behind it' | 'passed' = 'before the brace'
  let isOwed = true
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      let at = 0
      for (; place !== 'passed' && at < chunk.length; at += 1) {
        const byte = chunk[at]!
        if (isSpace(byte)) continue
        if (place === 'before the brace' && byte === OPEN) {
          place = 'behind it'
          continue
        }
        if (place === 'behind it') {
          this.push(chunk.subarray(0, at))
          this.push(byte === CLOSE ? `${insertion.slice(0, -1)} ` : insertion)
          isOwed = false
          chunk = chunk.subarray(at)
        }
        place = 'passed'
      }
      done(null, chunk)
    },
    flush(done) {
      done(null, isOwed ? ' '.repeat(insertion.length) : undefined)
    },
  })
}

const OPEN = 0x7b
const CLOSE = 0x7d

const isSpace = (byte: number) => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d
