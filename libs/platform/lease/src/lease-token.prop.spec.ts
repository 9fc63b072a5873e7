import { expect, it } from '@jest/globals'
import fc from 'fast-check'
import { mintLeaseToken, readLeaseToken } from './lease-token.ts'

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
const count = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const key = { keyId: 'k', key: new Uint8Array(32).fill(9) }

it('gives back any claims unchanged', () => {
  const claims = fc.record({
    leaseId: text,
    hostId: text,
    poolId: text,
    epoch: count,
    term: count,
    modelId: text,
    expiresAtMs: count,
  })
  fc.assert(
    fc.property(claims, (given) => {
      expect(readLeaseToken([key], mintLeaseToken(key, given))).toEqual({ ok: true, claims: given })
    }),
  )
})

it('never throws and never accepts what was not minted', () => {
  const likeToken = fc
    .tuple(fc.base64String(), fc.stringMatching(/^[\w-]{43}$/))
    .map(([body, signature]) => `1.k.${body.replaceAll('=', '')}.${signature}`)
  fc.assert(
    fc.property(fc.oneof(fc.string(), likeToken), (token) => {
      expect(readLeaseToken([key], token).ok).toBe(false)
    }),
  )
})
