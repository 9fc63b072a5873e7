import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto'
import { assert } from '@berth/kernel'
import { decodeClaims, encodeClaims, type LeaseClaims } from './lease-claims.ts'
import { LEASE_KEY_BYTES, type LeaseKey } from './lease-key.ts'

/** Longest token that is looked at. One with the longest ids there are still fits. */
const TOKEN_MAX = 2048
const KEY_ID = /^[\w-]{1,32}$/
const TOKEN = /^1\.([\w-]{1,32})\.([\w-]+)\.([\w-]{43})$/

/**
 * A signed lease for the header `Berth-Lease`: `1.<key id>.<claims>.<HMAC-SHA256>`, parts in
 * base64url. Under 512 characters for model ids up to 100 bytes. It is signed, not encrypted.
 */
export const mintLeaseToken = (key: LeaseKey, claims: LeaseClaims): string => {
  assert(KEY_ID.test(key.keyId), 'a lease key id is 1 to 32 of [A-Za-z0-9_-]')
  const body = Buffer.from(encodeClaims(claims)).toString('base64url')
  const signed = `1.${key.keyId}.${body}`
  return `${signed}.${sign(key, signed)}`
}

/** Why a token is refused; also what the ingress tells the gateway. */
export type LeaseTokenRefusal = 'malformed' | 'unknown_key' | 'bad_signature'

/** The claims of a token, or why there are none. */
export type ReadLeaseToken =
  | { readonly ok: true; readonly claims: LeaseClaims }
  | { readonly ok: false; readonly reason: LeaseTokenRefusal }

/**
 * The claims of a token made with one of `keys`. Checks the signature in constant time and
 * nothing else: expiry, pool, epoch, term and replay are the caller's. Never throws.
 */
export const readLeaseToken = (keys: readonly LeaseKey[], token: string): ReadLeaseToken => {
  const parts = token.length <= TOKEN_MAX ? TOKEN.exec(token) : null
  if (!parts) return refused('malformed')
  const [, keyId = '', body = '', signature = ''] = parts
  const key = keys.find((candidate) => candidate.keyId === keyId)
  if (!key) return refused('unknown_key')
  const expected = sign(key, `1.${keyId}.${body}`)
  // As texts: base64url spells the same 32 bytes in four ways, and one of them is ours.
  if (!timingSafeEqual(Buffer.from(expected), Buffer.from(signature)))
    return refused('bad_signature')
  const claims = decodeClaims(Buffer.from(body, 'base64url').toString())
  return claims ? { ok: true, claims } : refused('malformed')
}

const refused = (reason: LeaseTokenRefusal) => ({ ok: false, reason }) as const

const sign = (key: LeaseKey, text: string): string => {
  assert(key.key.length === LEASE_KEY_BYTES, 'a lease key has 32 bytes')
  return createHmac('sha256', secretOf(key.key)).update(text).digest('base64url')
}

/** Keys as OpenSSL has them: making one of bytes costs six times what a signature does. */
const secrets = new WeakMap<Uint8Array, KeyObject>()

const secretOf = (key: Uint8Array): KeyObject => {
  const known = secrets.get(key)
  if (known) return known
  const made = createSecretKey(key)
  secrets.set(key, made)
  return made
}
