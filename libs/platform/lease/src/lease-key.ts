import { hkdfSync } from 'node:crypto'
import { assert } from '@berth/kernel'

/** A key shared by core and one host, and the name under which tokens refer to it. */
export interface LeaseKey {
  /** `[A-Za-z0-9_-]{1,32}`, for example `t42` for the key of term 42. */
  readonly keyId: string
  /** 32 bytes. */
  readonly key: Uint8Array
}

/** Bytes of a master and of a host's key. */
export const LEASE_KEY_BYTES = 32

/**
 * The key of one host, from the master of a leadership (32 bytes). HKDF-SHA256 (RFC 5869): a host
 * that leaks its key can forge leases for itself only.
 */
export const deriveHostKey = (master: Uint8Array, hostId: string): Uint8Array => {
  assert(master.length === LEASE_KEY_BYTES, 'a lease master has 32 bytes')
  return new Uint8Array(hkdfSync('sha256', master, '', `berth-lease:${hostId}`, LEASE_KEY_BYTES))
}
