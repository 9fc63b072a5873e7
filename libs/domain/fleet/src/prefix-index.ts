import {
  createPrefixBlocks,
  findBlock,
  freeBlock,
  NO_ENTRY,
  prefixBlocksBytes,
  takeBlock,
  type PrefixBlocks,
} from './prefix-blocks.ts'
import {
  createPrefixShelf,
  placeOf,
  prefixShelfBytes,
  putOnShelf,
  SHELF_SIZE,
  takeOffShelf,
  touchPlace,
  type PrefixShelf,
} from './prefix-shelf.ts'

/**
 * Which pools hold the beginning of a prompt: one inverted index, from block to pools, with a
 * bounded shelf per pool. A chain is two words per block, low first, and a block's hash stands for
 * everything up to its end, so that who holds a block holds those before it. At most 64 KB for a
 * pool.
 */
export interface PrefixIndex {
  readonly blocks: PrefixBlocks
  /** By pool number; absent until a pool has got a prefix. */
  readonly shelves: (PrefixShelf | undefined)[]
  /** Holders as bits, of blocks that so many pools hold that their list would be long. */
  readonly rows: Map<number, Uint32Array>
  /** Of the last match: the pools it met, as bits, and by pool number how many blocks they hold. */
  met: Uint32Array
  depths: Uint16Array
  /** Scratch: the blocks of the chain that is matched. */
  readonly path: Uint32Array
}

/** A prompt's chain as one pool gets it. */
export interface PrefixUse {
  readonly chain: Uint32Array
  /** Mixed into the hashes: the same text is another prefix for another model. */
  readonly salt: number
  readonly blockTokens: number
  /** Tokens that take room in the cache after the chain: the rest of the prompt, and the answer. */
  readonly tailTokens: number
  /** Room of the pool's cache in tokens; `Infinity` when not known. */
  readonly capacityTokens: number
}

/** Blocks of a chain that count. Source: the contract, `Job.prefix_chain`. */
export const CHAIN_BLOCKS_MAX = 64

/** An index of nothing. */
export const createPrefixIndex = (): PrefixIndex => ({
  blocks: createPrefixBlocks(),
  shelves: [],
  rows: new Map(),
  met: new Uint32Array(0),
  depths: new Uint16Array(0),
  path: new Uint32Array(CHAIN_BLOCKS_MAX),
})

/** Blocks of a chain that are looked at. */
export const chainBlocks = (chain: Uint32Array): number =>
  Math.min(CHAIN_BLOCKS_MAX, chain.length >> 1)

/**
 * Notes that a pool has a prompt, and forgets what its engine's cache has no room for: the least
 * recently used first, and of a chain its end before its beginning.
 */
export const rememberPrefix = (index: PrefixIndex, pool: number, use: PrefixUse): void => {
  const shelf = (index.shelves[pool] ??= createPrefixShelf())
  const { chain, salt } = use
  if (use.tailTokens > 0 && use.capacityTokens !== Infinity) {
    makeRoom(index, pool, shelf)
    putOnShelf(shelf, NO_ENTRY, Math.min(use.tailTokens, 0xffff))
  }
  // Backwards, so that the beginning is the newest.
  for (let at = chainBlocks(chain) - 1; at >= 0; at--) {
    const low = (chain[2 * at]! ^ salt) >>> 0
    const high = chain[2 * at + 1]!
    const known = findBlock(index.blocks, low, high)
    const place = known === NO_ENTRY ? -1 : placeOf(shelf, known)
    if (place >= 0) touchPlace(shelf, place)
    else {
      makeRoom(index, pool, shelf)
      const block = takeBlock(index.blocks, low, high)
      addHolder(index, pool, block, putOnShelf(shelf, block, Math.min(use.blockTokens, 0xffff)))
    }
  }
  while (shelf.totalTokens > use.capacityTokens && shelf.used > 0) drop(index, pool, shelf.oldest)
}

/** Takes back what a prompt that never reached its pool added there: the blocks after `from`. */
export const forgetPrefix = (
  index: PrefixIndex,
  pool: number,
  { chain, salt }: Pick<PrefixUse, 'chain' | 'salt'>,
  from: number,
): void => {
  const shelf = index.shelves[pool]
  if (!shelf) return
  for (let at = chainBlocks(chain) - 1; at >= from; at--) {
    const block = findBlock(index.blocks, (chain[2 * at]! ^ salt) >>> 0, chain[2 * at + 1]!)
    const place = block === NO_ENTRY ? -1 : placeOf(shelf, block)
    if (place >= 0) drop(index, pool, place)
  }
}

/** Forgets everything a pool holds: its engine has begun anew, or it is gone. */
export const forgetPool = (index: PrefixIndex, pool: number): void => {
  const shelf = index.shelves[pool]
  if (!shelf) return
  while (shelf.used > 0) drop(index, pool, shelf.oldest)
  index.shelves[pool] = undefined
}

/** Bytes of the arrays, all told. */
export const prefixIndexBytes = (index: PrefixIndex): number => {
  let bytes = prefixBlocksBytes(index.blocks)
  bytes += index.met.byteLength + index.depths.byteLength
  for (const shelf of index.shelves) bytes += shelf ? prefixShelfBytes(shelf) : 0
  for (const row of index.rows.values()) bytes += row.byteLength
  return bytes
}

const makeRoom = (index: PrefixIndex, pool: number, shelf: PrefixShelf) => {
  if (shelf.used === SHELF_SIZE) drop(index, pool, shelf.oldest)
}

const drop = (index: PrefixIndex, pool: number, place: number) => {
  const shelf = index.shelves[pool]!
  const block = shelf.block[place]!
  if (block !== NO_ENTRY) removeHolder(index, pool, block, place)
  takeOffShelf(shelf, place)
}

const addHolder = (index: PrefixIndex, pool: number, block: number, place: number) => {
  const { blocks, rows, shelves } = index
  const holder = pool * SHELF_SIZE + place
  const shelf = shelves[pool]!
  const first = blocks.head[block]!
  shelf.nextHolder[place] = first
  shelf.lastHolder[place] = NO_ENTRY
  if (first !== NO_ENTRY) shelfOf(index, first).lastHolder[first % SHELF_SIZE] = holder
  blocks.head[block] = holder
  blocks.count[block]! += 1
  const isLong = blocks.count[block]! > listMax(index)
  const row = rows.get(block) ?? (isLong ? rowOf(index, block) : undefined)
  if (!row) return
  const roomy = pool >> 5 < row.length ? row : longerRow(row, (pool >> 5) + 1)
  roomy[pool >> 5]! |= 1 << (pool & 31)
  rows.set(block, roomy)
}

const removeHolder = (index: PrefixIndex, pool: number, block: number, place: number) => {
  const { blocks, rows, shelves } = index
  const shelf = shelves[pool]!
  const next = shelf.nextHolder[place]!
  const last = shelf.lastHolder[place]!
  if (last === NO_ENTRY) blocks.head[block] = next
  else shelfOf(index, last).nextHolder[last % SHELF_SIZE] = next
  if (next !== NO_ENTRY) shelfOf(index, next).lastHolder[next % SHELF_SIZE] = last
  const count = (blocks.count[block]! -= 1)
  const row = rows.get(block)
  if (row) row[pool >> 5]! &= ~(1 << (pool & 31))
  // Well below the length at which a row was made, so that none comes and goes.
  if (row && count < listMax(index) / 2) rows.delete(block)
  if (count === 0) freeBlock(blocks, block)
}

/** The longest list: a row of bits takes no more room than it, and is as quick to read. */
const listMax = ({ shelves }: PrefixIndex): number => Math.max(4, shelves.length >> 5)

const rowOf = (index: PrefixIndex, block: number): Uint32Array => {
  const row = new Uint32Array((index.shelves.length + 31) >> 5)
  let holder = index.blocks.head[block]!
  while (holder !== NO_ENTRY) {
    const pool = Math.floor(holder / SHELF_SIZE)
    row[pool >> 5]! |= 1 << (pool & 31)
    holder = shelfOf(index, holder).nextHolder[holder % SHELF_SIZE]!
  }
  return row
}

/** A quarter more than it must have: pools come one by one. */
const longerRow = (row: Uint32Array, words: number): Uint32Array => {
  const longer = new Uint32Array(Math.ceil(words * 1.25))
  longer.set(row)
  return longer
}

const shelfOf = ({ shelves }: PrefixIndex, holder: number): PrefixShelf =>
  shelves[Math.floor(holder / SHELF_SIZE)]!
