import { randomFillSync } from 'node:crypto'
import type { Rng } from '@berth/kernel'

/** Drawn at once: a call to the system costs more than the bytes of a hundred ids. */
const POOL_BYTES = 4_096

/** Chance from the operating system. Good enough for keys. */
export const systemRng = (): Rng => {
  const pool = Buffer.alloc(POOL_BYTES)
  let at = POOL_BYTES
  const draw = (count: number): Uint8Array => {
    if (count > POOL_BYTES) return randomFillSync(new Uint8Array(count))
    if (at + count > POOL_BYTES) {
      randomFillSync(pool)
      at = 0
    }
    const drawn = Uint8Array.from(pool.subarray(at, at + count))
    // What was given away is nowhere else.
    pool.fill(0, at, at + count)
    at += count
    return drawn
  }
  return {
    // 48 random bits: exact in a double, finer than anything drawn from it.
    float: () => Buffer.from(draw(6).buffer).readUIntBE(0, 6) / 2 ** 48,
    bytes: draw,
  }
}
