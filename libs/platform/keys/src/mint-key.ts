import type { Rng } from '@berth/kernel'

/** Lets people and secret scanners tell what it is. */
const PREFIX = 'berth-'
const KEY_BYTES = 32

/** A new key: 256 random bits, `berth-` and 43 characters of base64url. */
export const mintKey = (rng: Rng): string =>
  PREFIX + Buffer.from(rng.bytes(KEY_BYTES)).toString('base64url')
