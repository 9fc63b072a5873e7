import { createHash, timingSafeEqual } from 'node:crypto'
import type { AccessKey, KeyBudget } from './access-key.ts'

/** The keys of one version of a key file. Immutable. */
export interface KeyRing {
  readonly size: number
  readonly keys: readonly AccessKey[]
  /** The entry of a presented key, in a time that does not tell how much of it was right. */
  find(presented: string): AccessKey | undefined
  byId(id: string): AccessKey | undefined
  /** Undefined for an id that is not, or no longer, in the file. */
  budgetOfKey(id: string): KeyBudget | undefined
}

/** Nobody's key is longer; what is, costs no hash. */
const PRESENTED_MAX = 512
/** Of the digest, as the map's key: with SHA-256 nobody can aim at a bucket. */
const BUCKET_BYTES = 6
/** Compared with where there is no candidate, so that a miss costs what a hit does. */
const NOBODY = new Uint8Array(32)

export const createKeyRing = (keys: readonly AccessKey[]): KeyRing => {
  const byId = new Map(keys.map((key) => [key.id, key]))
  const byDigest = new Map(keys.map((key) => [bucketOf(key.sha256), key]))
  return {
    size: keys.length,
    keys,
    find: (presented) => {
      if (presented.length > PRESENTED_MAX) return undefined
      const digest = hashKey(presented)
      const candidate = byDigest.get(bucketOf(digest))
      const isSame = timingSafeEqual(digest, candidate?.sha256 ?? NOBODY)
      return isSame ? candidate : undefined
    },
    byId: (id) => byId.get(id),
    budgetOfKey: (id) => byId.get(id)?.budget,
  }
}

/** SHA-256 of the UTF-8 of a key. */
export const hashKey = (key: string): Uint8Array => createHash('sha256').update(key).digest()

const bucketOf = (digest: Uint8Array) =>
  Buffer.from(digest.buffer, digest.byteOffset, BUCKET_BYTES).readUIntBE(0, BUCKET_BYTES)
