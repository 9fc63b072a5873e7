export { deriveHostKey, LEASE_KEY_BYTES, type LeaseKey } from './lease-key.ts'
export type { LeaseClaims } from './lease-claims.ts'
export {
  mintLeaseToken,
  readLeaseToken,
  type LeaseTokenRefusal,
  type ReadLeaseToken,
} from './lease-token.ts'
export { createReplaySet, type ReplaySet } from './replay-set.ts'
