/** Heap and buffers that `fill` leaves behind in `holder`, once all garbage is gone. */
export const bytesGrown = (holder: object, fill: () => void): number => {
  const { gc } = globalThis
  if (gc === undefined) throw new Error('Run it with --expose-gc')
  const inUse = () => {
    // What one collection frees may be what the next one finds.
    for (let n = 0; n < 4; n++) gc()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  held.add(holder)
  const before = inUse()
  fill()
  const grown = inUse() - before
  held.delete(holder)
  return grown
}

/** Nothing here is garbage, whether it is used again or not. */
const held = new Set<object>()
