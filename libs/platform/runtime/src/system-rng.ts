import { randomBytes } from 'node:crypto'
import type { Rng } from '@berth/kernel'

/** Chance from the operating system. Good enough for keys. */
export const systemRng = (): Rng => ({
  // 48 random bits: exact in a double, finer than anything drawn from it.
  float: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  bytes: (count) => new Uint8Array(randomBytes(count)),
})
