import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { deriveHostKey, type LeaseKey } from './lease-key.ts'
import { mintLeaseToken, readLeaseToken } from './lease-token.ts'

const claims = {
  leaseId: 'c56a4180-65aa-42ec-a945-5fd21dec0538',
  hostId: 'gpu-1',
  poolId: 'llama-a',
  epoch: 1_750_000_000_000,
  term: 7,
  modelId: 'meta/llama-3:8b-ünïcode',
  expiresAtMs: 1_750_000_015_000,
}
const newKey = (keyId: string): LeaseKey => ({ keyId, key: randomBytes(32) })

describe('a lease token', () => {
  it('gives back the claims it was made with', () => {
    const key = newKey('t7')
    expect(readLeaseToken([newKey('t6'), key], mintLeaseToken(key, claims))).toEqual({
      ok: true,
      claims,
    })
  })

  it('is safe in a header and under 512 characters with the longest names of the fleet', () => {
    const longest = { ...claims, hostId: 'h'.repeat(63), poolId: 'p'.repeat(63) }
    const token = mintLeaseToken(newKey('t4503599627370496'), {
      ...longest,
      modelId: 'm'.repeat(90),
    })
    expect(token).toMatch(/^[\w.-]+$/)
    expect(token.length).toBeLessThan(512)
  })

  it('reads with the longest model id there may be', () => {
    const key = newKey('t7')
    const long = { ...claims, modelId: '語'.repeat(256) }
    expect(readLeaseToken([key], mintLeaseToken(key, long))).toEqual({ ok: true, claims: long })
  })

  it('is refused when any one of its characters was changed', () => {
    const key = newKey('t7')
    const token = mintLeaseToken(key, claims)
    const changed = [...token].map((char, at) => {
      const other = char === 'A' ? 'B' : 'A'
      return token.slice(0, at) + other + token.slice(at + 1)
    })
    const accepted = changed.filter((candidate) => readLeaseToken([key], candidate).ok)
    expect(accepted).toEqual([])
  })

  it('is refused as unknown_key when no key of that name is installed', () => {
    const token = mintLeaseToken(newKey('t8'), claims)
    expect(readLeaseToken([newKey('t7')], token)).toEqual({ ok: false, reason: 'unknown_key' })
  })

  it('is refused as bad_signature when another key of the same name made it', () => {
    const token = mintLeaseToken(newKey('t7'), claims)
    expect(readLeaseToken([newKey('t7')], token)).toEqual({ ok: false, reason: 'bad_signature' })
  })

  it.each([
    ['nothing', ''],
    ['a word', 'token'],
    ['a JWT', 'eyJhbGciOiJub25lIn0.e30.'],
    ['a later version', '2.t7.AAAA.' + 'A'.repeat(43)],
    ['an endless one', '1.t7.' + 'A'.repeat(5000) + '.' + 'A'.repeat(43)],
    ['control characters', '1.t7.A\r\nA.' + 'A'.repeat(43)],
  ])('is refused as malformed when it is %s', (_, token) => {
    expect(readLeaseToken([newKey('t7')], token)).toEqual({ ok: false, reason: 'malformed' })
  })
})

describe('the key of a host', () => {
  const master = new Uint8Array(32).fill(1)

  it('follows from the master and the host alone', () => {
    expect(deriveHostKey(master, 'gpu-1')).toEqual(deriveHostKey(master, 'gpu-1'))
    expect(deriveHostKey(master, 'gpu-1')).toHaveLength(32)
  })

  it('differs between hosts and between masters', () => {
    const other = new Uint8Array(32).fill(2)
    const keys = [
      deriveHostKey(master, 'gpu-1'),
      deriveHostKey(master, 'gpu-2'),
      deriveHostKey(other, 'gpu-1'),
    ]
    expect(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size).toBe(3)
  })

  it('does not open tokens of another host', () => {
    const one = { keyId: 't7', key: deriveHostKey(master, 'gpu-1') }
    const two = { keyId: 't7', key: deriveHostKey(master, 'gpu-2') }
    expect(readLeaseToken([two], mintLeaseToken(one, claims)).ok).toBe(false)
  })
})
