import { hash } from 'node:crypto'
import type { Prompt } from './prompt.ts'

// Source of the three: core, placement (prefix affinity).
const BLOCK_BYTES = 2_048
const BLOCKS_MAX = 64
const HASH_BYTES = 8

const DIGEST_BYTES = 32
/** Cannot occur in UTF-8, so that no two lists of fields read the same. */
const FIELD_END = 0xff

/**
 * What a prompt measures. `chain` holds 8 bytes for each of its first 64 whole blocks of 2 KiB; a
 * block's hash stands for everything up to its end.
 */
export interface PromptMeasure {
  readonly utf8Bytes: number
  readonly chain: Uint8Array
}

const NO_CHAIN = new Uint8Array()
const encoder = new TextEncoder()

/**
 * Measures prompts and hashes their beginnings, salted by tenant. A block's hash is the first 8
 * bytes of SHA-256 over the digest before it and the block. A faster hash that is not
 * cryptographic (XXH64: 6 us instead of 55 for 64 KiB) was measured and left: the salt is no
 * secret, so with one of those a tenant could build a prompt that reads as another tenant's, and
 * learn from where it is placed whether that one was served.
 *
 * One scratch buffer serves all prompts: a measurement never awaits.
 */
export const createPromptMeter = (): ((prompt: Prompt, tenant: string) => PromptMeasure) => {
  // The digest before a block stands right before it, over bytes that are hashed already.
  const scratch = Buffer.alloc(DIGEST_BYTES + BLOCKS_MAX * BLOCK_BYTES)
  return (prompt, tenant) => {
    const { utf8Bytes, chainedBytes } = write(scratch, prompt)
    const blocks = Math.floor(chainedBytes / BLOCK_BYTES)
    if (blocks === 0) return { utf8Bytes, chain: NO_CHAIN }
    return { utf8Bytes, chain: hashBlocks(scratch, blocks, tenant) }
  }
}

const hashBlocks = (scratch: Buffer, blocks: number, tenant: string): Uint8Array => {
  const chain = new Uint8Array(blocks * HASH_BYTES)
  let before = hash('sha256', `berth prefix ${tenant}`, 'buffer')
  for (let block = 0; block < blocks; block++) {
    const start = block * BLOCK_BYTES
    scratch.set(before, start)
    const upToEnd = scratch.subarray(start, start + DIGEST_BYTES + BLOCK_BYTES)
    before = hash('sha256', upToEnd, 'buffer')
    chain.set(before.subarray(0, HASH_BYTES), block * HASH_BYTES)
  }
  return chain
}

/** Writes as many fields as fit behind the place of the salt; counts the rest. */
const write = (scratch: Buffer, { fields, chained }: Prompt) => {
  let at = DIGEST_BYTES
  let chainEnd = at
  let utf8Bytes = 0
  fields.forEach((field, index) => {
    if (index >= chained || at === scratch.length) {
      utf8Bytes += Buffer.byteLength(field)
      return
    }
    const { read, written } = encoder.encodeInto(field, scratch.subarray(at))
    at += written
    utf8Bytes += written
    if (read < field.length) {
      utf8Bytes += Buffer.byteLength(field.slice(read))
      // A character that is cut by the end leaves the last block short of a few bytes.
      scratch.fill(0, at)
      at = scratch.length
    } else if (at < scratch.length) scratch[at++] = FIELD_END
    chainEnd = at
  })
  return { utf8Bytes, chainedBytes: chainEnd - DIGEST_BYTES }
}
