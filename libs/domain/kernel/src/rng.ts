/** Chance as a port. Production draws from the system, simulation from a seed. */
export interface Rng {
  /** A number in [0, 1). */
  float(): number
  /** `count` random bytes. */
  bytes(count: number): Uint8Array
}

/** An integer in [0, bound). */
export const randomInt = (rng: Rng, bound: number): number => Math.floor(rng.float() * bound)

/** A random UUID, version 4 (RFC 9562). */
export const randomUuid = (rng: Rng): string => {
  const bytes = rng.bytes(16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-')
}

/**
 * A generator whose whole sequence follows from `seed` (a 32-bit integer).
 * Algorithm: sfc32 seeded through splitmix32 (PractRand; public domain).
 */
export const seededRng = (seed: number): Rng => {
  const mix = splitmix32(seed)
  const state = new Uint32Array([mix(), mix(), mix(), 1])
  const next = (): number => {
    const [a, b, c, counter] = state as unknown as [number, number, number, number]
    const out = (a + b + counter) >>> 0
    state[3] = counter + 1
    state[0] = b ^ (b >>> 9)
    state[1] = c + (c << 3)
    state[2] = ((c << 21) | (c >>> 11)) + out
    return out
  }
  for (let i = 0; i < 12; i++) next()
  return {
    float: () => next() / 2 ** 32,
    bytes: (count) => Uint8Array.from({ length: count }, () => next() & 0xff),
  }
}

const splitmix32 = (seed: number) => {
  let state = seed >>> 0
  return (): number => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
}
