import { findBlock, NO_ENTRY } from './prefix-blocks.ts'
import { chainBlocks, type PrefixIndex } from './prefix-index.ts'
import { placeOf, SHELF_SIZE } from './prefix-shelf.ts'

/**
 * Finds how much of a chain each pool holds; `matchedBlocks` tells it until the next match. Looks
 * at each block once and at the pools that hold some of it; returns whether any does.
 */
export const matchPrefix = (index: PrefixIndex, chain: Uint32Array, salt: number): boolean => {
  beginMatch(index)
  const { blocks, path } = index
  const length = chainBlocks(chain)
  let found = 0
  while (found < length) {
    const block = findBlock(blocks, (chain[2 * found]! ^ salt) >>> 0, chain[2 * found + 1]!)
    if (block === NO_ENTRY) break
    path[found++] = block
  }
  let pools = 0
  // From the end: the first block a pool is met at is the last one it holds.
  for (let depth = found; depth > 0; depth--) {
    const block = path[depth - 1]!
    // Who holds more of the chain holds this block as well: nobody new.
    if (blocks.count[block] === pools) continue
    const row = index.rows.get(block)
    pools += row ? markRow(index, row, depth) : markList(index, blocks.head[block]!, depth)
  }
  return pools > 0
}

/** Blocks of the chain last matched that a pool holds, by the pool's number. */
export const matchedBlocks = (index: PrefixIndex, pool: number): number =>
  ((index.met[pool >> 5]! >>> (pool & 31)) & 1) === 1 ? index.depths[pool]! : 0

/** Blocks of a chain one pool holds. Leaves the last match alone. */
export const heldBlocks = (
  index: PrefixIndex,
  pool: number,
  chain: Uint32Array,
  salt: number,
): number => {
  const shelf = index.shelves[pool]
  if (!shelf) return 0
  const length = chainBlocks(chain)
  for (let at = 0; at < length; at++) {
    const low = (chain[2 * at]! ^ salt) >>> 0
    const block = findBlock(index.blocks, low, chain[2 * at + 1]!)
    if (block === NO_ENTRY || placeOf(shelf, block) < 0) return at
  }
  return length
}

const beginMatch = (index: PrefixIndex) => {
  const pools = index.shelves.length
  if (index.depths.length >= pools) return void index.met.fill(0)
  const room = Math.ceil(pools / 32) * 64
  index.met = new Uint32Array(room / 32)
  index.depths = new Uint16Array(room)
}

const markList = (index: PrefixIndex, head: number, depth: number): number => {
  const { met, depths, shelves } = index
  let marked = 0
  let holder = head
  while (holder !== NO_ENTRY) {
    const pool = Math.floor(holder / SHELF_SIZE)
    const bit = 1 << (pool & 31)
    if ((met[pool >> 5]! & bit) === 0) {
      met[pool >> 5]! |= bit
      depths[pool] = depth
      marked += 1
    }
    holder = shelves[pool]!.nextHolder[holder % SHELF_SIZE]!
  }
  return marked
}

const markRow = (index: PrefixIndex, row: Uint32Array, depth: number): number => {
  const { met, depths } = index
  let marked = 0
  for (let word = 0; word < row.length; word++) {
    let fresh = row[word]! & ~met[word]!
    met[word]! |= fresh
    while (fresh !== 0) {
      const bit = 31 - Math.clz32(fresh)
      fresh &= ~(1 << bit)
      depths[word * 32 + bit] = depth
      marked += 1
    }
  }
  return marked
}
