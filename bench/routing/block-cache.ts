/** Links of blocks nobody holds; slot 0 is the ends of the list. */
const ENDS = 0

/**
 * The prefix cache of one engine, in blocks. A block that a request holds stays; one that nobody
 * holds stays until its room is needed, and then the one that was let go first leaves.
 */
export class BlockCache {
  /** Blocks that some request holds. */
  held = 0
  readonly #slotOf = new Map<number, number>()
  readonly #hashOf: number[] = [0]
  readonly #holders: number[] = [0]
  readonly #next: number[] = [ENDS]
  readonly #previous: number[] = [ENDS]
  readonly #unused: number[] = []

  /** Blocks it has, held or not. */
  get size(): number {
    return this.#slotOf.size
  }

  has(hash: number): boolean {
    return this.#slotOf.has(hash)
  }

  /** Holds a block, and adds it when it is new. */
  hold(hash: number): void {
    const slot = this.#slotOf.get(hash) ?? this.#add(hash)
    if (this.#holders[slot] === 0) {
      this.held += 1
      this.#unlink(slot)
    }
    this.#holders[slot]! += 1
  }

  /** Lets go of a block that was held. The last holder puts it at the end of those to leave. */
  letGo(hash: number): void {
    const slot = this.#slotOf.get(hash)!
    this.#holders[slot]! -= 1
    if (this.#holders[slot] !== 0) return
    this.held -= 1
    this.#link(slot)
  }

  /** Drops the block that nobody has held for the longest time; false when all are held. */
  evict(): boolean {
    const slot = this.#next[ENDS]!
    if (slot === ENDS) return false
    this.#unlink(slot)
    this.#slotOf.delete(this.#hashOf[slot]!)
    this.#unused.push(slot)
    return true
  }

  #add(hash: number): number {
    const slot = this.#unused.pop() ?? this.#hashOf.length
    this.#hashOf[slot] = hash
    this.#holders[slot] = 0
    this.#slotOf.set(hash, slot)
    this.#link(slot)
    return slot
  }

  #link(slot: number): void {
    const last = this.#previous[ENDS]!
    this.#next[last] = slot
    this.#previous[slot] = last
    this.#next[slot] = ENDS
    this.#previous[ENDS] = slot
  }

  #unlink(slot: number): void {
    const previous = this.#previous[slot]!
    const next = this.#next[slot]!
    this.#next[previous] = next
    this.#previous[next] = previous
  }
}
