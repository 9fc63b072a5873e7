import { NO_ENTRY } from './prefix-blocks.ts'

/** Blocks one pool is remembered for. With 512 tokens each: half a million tokens of cache. */
export const SHELF_SIZE = 1_024
const TABLE_SIZE = 2 * SHELF_SIZE
const NO_PLACE = 0xffff

/**
 * What one pool holds, in the order of its last use, as an engine's own prefix cache keeps it. A
 * place is a number under `SHELF_SIZE`; one without a block stands for tokens that take room in the
 * cache and belong to no block.
 */
export interface PrefixShelf {
  readonly newer: Uint16Array
  readonly older: Uint16Array
  /** Of each place; more than 65,535 count as that. */
  readonly tokens: Uint16Array
  readonly block: Uint32Array
  /** The holders of a block are a list: the next and the previous holder, as the index numbers them. */
  readonly nextHolder: Uint32Array
  readonly lastHolder: Uint32Array
  /** Places by block, plus one, by open addressing. */
  readonly table: Uint16Array
  newest: number
  oldest: number
  free: number
  used: number
  totalTokens: number
}

/** An empty shelf. */
export const createPrefixShelf = (): PrefixShelf => {
  const older = new Uint16Array(SHELF_SIZE)
  for (let place = 0; place < SHELF_SIZE; place++) older[place] = place + 1
  older[SHELF_SIZE - 1] = NO_PLACE
  return {
    newer: new Uint16Array(SHELF_SIZE),
    older,
    tokens: new Uint16Array(SHELF_SIZE),
    block: new Uint32Array(SHELF_SIZE).fill(NO_ENTRY),
    nextHolder: new Uint32Array(SHELF_SIZE),
    lastHolder: new Uint32Array(SHELF_SIZE),
    table: new Uint16Array(TABLE_SIZE),
    newest: NO_PLACE,
    oldest: NO_PLACE,
    free: 0,
    used: 0,
    totalTokens: 0,
  }
}

/** Where a block stands; -1 when it does not. */
export const placeOf = ({ table, block: blocks }: PrefixShelf, block: number): number => {
  for (let at = hash(block); ; at = (at + 1) & (TABLE_SIZE - 1)) {
    const place = table[at]! - 1
    if (place < 0 || blocks[place] === block) return place
  }
}

/** Puts a block, or with `NO_ENTRY` tokens without one, on a shelf that is not full. */
export const putOnShelf = (shelf: PrefixShelf, block: number, tokens: number): number => {
  const place = shelf.free
  shelf.free = shelf.older[place]!
  shelf.block[place] = block
  shelf.tokens[place] = tokens
  shelf.totalTokens += shelf.tokens[place]
  shelf.used += 1
  if (block !== NO_ENTRY) {
    let at = hash(block)
    while (shelf.table[at] !== 0) at = (at + 1) & (TABLE_SIZE - 1)
    shelf.table[at] = place + 1
  }
  pushNewest(shelf, place)
  return place
}

/** Makes a place the newest. */
export const touchPlace = (shelf: PrefixShelf, place: number): void => {
  if (shelf.newest === place) return
  unlink(shelf, place)
  pushNewest(shelf, place)
}

/** Empties a place. */
export const takeOffShelf = (shelf: PrefixShelf, place: number): void => {
  unlink(shelf, place)
  if (shelf.block[place] !== NO_ENTRY) removeFromTable(shelf, place)
  shelf.totalTokens -= shelf.tokens[place]!
  shelf.block[place] = NO_ENTRY
  shelf.older[place] = shelf.free
  shelf.free = place
  shelf.used -= 1
}

/** Bytes of the arrays. */
export const prefixShelfBytes = (shelf: PrefixShelf): number =>
  SHELF_SIZE * (3 * 2 + 3 * 4) + shelf.table.byteLength

const hash = (block: number): number => (Math.imul(block, 0x9e37_79b1) >>> 16) & (TABLE_SIZE - 1)

const pushNewest = (shelf: PrefixShelf, place: number) => {
  shelf.newer[place] = NO_PLACE
  shelf.older[place] = shelf.newest
  if (shelf.newest !== NO_PLACE) shelf.newer[shelf.newest] = place
  else shelf.oldest = place
  shelf.newest = place
}

const unlink = (shelf: PrefixShelf, place: number) => {
  const newer = shelf.newer[place]!
  const older = shelf.older[place]!
  if (newer === NO_PLACE) shelf.newest = older
  else shelf.older[newer] = older
  if (older === NO_PLACE) shelf.oldest = newer
  else shelf.newer[older] = newer
}

/** Closes the gap, so that a search may end at the first empty entry. */
const removeFromTable = ({ table, block }: PrefixShelf, place: number) => {
  const mask = TABLE_SIZE - 1
  let gap = hash(block[place]!)
  while (table[gap] !== place + 1) gap = (gap + 1) & mask
  for (let at = (gap + 1) & mask; table[at] !== 0; at = (at + 1) & mask) {
    const wanted = hash(block[table[at]! - 1]!)
    if (((at - wanted) & mask) < ((at - gap) & mask)) continue
    table[gap] = table[at]!
    gap = at
  }
  table[gap] = 0
}
