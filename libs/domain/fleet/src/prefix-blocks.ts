/**
 * The blocks somebody holds, by their 64-bit hash: a hash table in typed arrays. A block is a
 * small number that is used again once nobody holds it.
 */
export interface PrefixBlocks {
  low: Uint32Array
  high: Uint32Array
  /** First of the holders, as the index numbers them; `NO_ENTRY` for none. */
  head: Uint32Array
  /** Pools that hold the block. */
  count: Uint16Array
  /** The next block of the same bucket, or the next free one. */
  next: Uint32Array
  buckets: Uint32Array
  free: number
  used: number
}

/** Stands where there is no block, no holder and no entry. */
export const NO_ENTRY = 0xffff_ffff

const FIRST_CAPACITY = 64
/** Half as much again: the arrays are never much larger than what they hold. */
const GROWTH = 1.5

/** A table without blocks. */
export const createPrefixBlocks = (): PrefixBlocks => {
  const blocks: PrefixBlocks = {
    low: new Uint32Array(0),
    high: new Uint32Array(0),
    head: new Uint32Array(0),
    count: new Uint16Array(0),
    next: new Uint32Array(0),
    buckets: new Uint32Array(0),
    free: NO_ENTRY,
    used: 0,
  }
  resize(blocks, FIRST_CAPACITY)
  return blocks
}

/** The block of a hash; `NO_ENTRY` when nobody holds it. */
export const findBlock = (blocks: PrefixBlocks, low: number, high: number): number => {
  const { buckets, next, low: lows, high: highs } = blocks
  let block = buckets[bucketOf(low, high, buckets.length)]!
  while (block !== NO_ENTRY && (lows[block] !== low || highs[block] !== high)) block = next[block]!
  return block
}

/** The block of a hash, made when there is none. */
export const takeBlock = (blocks: PrefixBlocks, low: number, high: number): number => {
  const known = findBlock(blocks, low, high)
  if (known !== NO_ENTRY) return known
  if (blocks.free === NO_ENTRY) resize(blocks, Math.ceil(blocks.low.length * GROWTH))
  const block = blocks.free
  blocks.free = blocks.next[block]!
  blocks.low[block] = low
  blocks.high[block] = high
  blocks.head[block] = NO_ENTRY
  blocks.count[block] = 0
  link(blocks, block)
  blocks.used += 1
  return block
}

/** Gives the number of a block back that nobody holds any more. */
export const freeBlock = (blocks: PrefixBlocks, block: number): void => {
  const { buckets, next } = blocks
  const bucket = bucketOf(blocks.low[block]!, blocks.high[block]!, buckets.length)
  if (buckets[bucket] === block) buckets[bucket] = next[block]!
  else {
    let before = buckets[bucket]!
    while (next[before] !== block) before = next[before]!
    next[before] = next[block]!
  }
  next[block] = blocks.free
  blocks.free = block
  blocks.used -= 1
}

/** Bytes of the arrays. */
export const prefixBlocksBytes = ({ low, high, head, count, next, buckets }: PrefixBlocks) =>
  low.byteLength +
  high.byteLength +
  head.byteLength +
  count.byteLength +
  next.byteLength +
  buckets.byteLength

const bucketOf = (low: number, high: number, buckets: number): number =>
  ((Math.imul(low, 0x9e37_79b1) ^ Math.imul(high, 0x85eb_ca6b)) >>> 7) & (buckets - 1)

const link = (blocks: PrefixBlocks, block: number) => {
  const { buckets, next } = blocks
  const bucket = bucketOf(blocks.low[block]!, blocks.high[block]!, buckets.length)
  next[block] = buckets[bucket]!
  buckets[bucket] = block
}

/** Called when every number is in use: what is new is free, what was is linked anew. */
const resize = (blocks: PrefixBlocks, capacity: number) => {
  const before = blocks.low.length
  blocks.low = grown(blocks.low, new Uint32Array(capacity))
  blocks.high = grown(blocks.high, new Uint32Array(capacity))
  blocks.head = grown(blocks.head, new Uint32Array(capacity))
  blocks.next = grown(blocks.next, new Uint32Array(capacity))
  const count = new Uint16Array(capacity)
  count.set(blocks.count)
  blocks.count = count
  // A power of two, between half a block and one block for each bucket.
  blocks.buckets = new Uint32Array(1 << Math.ceil(Math.log2(capacity))).fill(NO_ENTRY)
  for (let block = 0; block < before; block++) link(blocks, block)
  for (let block = capacity - 1; block >= before; block--) {
    blocks.next[block] = blocks.free
    blocks.free = block
  }
}

const grown = (from: Uint32Array, to: Uint32Array<ArrayBuffer>): Uint32Array => {
  to.set(from)
  return to
}
