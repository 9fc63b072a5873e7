import { assert } from '@berth/kernel'

/** What NATS allows as it is, and people can read in its tools. */
const PLAIN = /^[\w-]+(\.[\w-]+)*$/

/** A key as NATS takes it: itself, or `=` and base64url where it holds other characters. */
export const encodeKey = (key: string): string => {
  assert(key !== '', 'a key is not empty')
  return PLAIN.test(key) ? key : `=${Buffer.from(key).toString('base64url')}`
}

export const decodeKey = (encoded: string): string =>
  encoded.startsWith('=') ? Buffer.from(encoded.slice(1), 'base64url').toString() : encoded
