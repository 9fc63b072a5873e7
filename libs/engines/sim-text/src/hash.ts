/** FNV-1a over UTF-16 code units, started from `basis` (a 32-bit integer). */
export const hashText = (text: string, basis: number): number => {
  let hash = (0x811c9dc5 ^ basis) >>> 0
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
  }
  return mix(hash)
}

/** Spreads a 32-bit integer over all its bits (the finaliser of splitmix32). */
export const mix = (value: number): number => {
  let z = (value + 0x9e3779b9) >>> 0
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
  return (z ^ (z >>> 15)) >>> 0
}
