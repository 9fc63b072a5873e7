/** Keeps the least of its items first. An item may change its worth, and leave from anywhere. */
export interface Heap<T> {
  readonly items: readonly T[]
  readonly first: T | undefined
  /** Puts an item in, or to where it belongs now. O(log n). */
  put(item: T): void
  /** Takes an item out, if it is there. O(log n). */
  drop(item: T): void
}

/** An empty heap in the order of `compare`, which must not call two different items equal. */
export const createHeap = <T>(compare: (a: T, b: T) => number): Heap<T> => {
  const items: T[] = []
  const indexes = new Map<T, number>()
  const set = (index: number, item: T) => {
    items[index] = item
    indexes.set(item, index)
  }
  const settle = (item: T, from: number) => set(sift(items, item, from, { compare, set }), item)
  return {
    items,
    get first() {
      return items[0]
    },
    put: (item) => settle(item, indexes.get(item) ?? items.length),
    drop: (item) => {
      const index = indexes.get(item)
      if (index === undefined) return
      indexes.delete(item)
      const last = items.pop()!
      if (last !== item) settle(last, index)
    },
  }
}

interface Sifting<T> {
  readonly compare: (a: T, b: T) => number
  readonly set: (index: number, item: T) => void
}

/** Makes way for an item from a free index, upwards or downwards, and returns where it belongs. */
const sift = <T>(items: readonly T[], item: T, from: number, { compare, set }: Sifting<T>) => {
  let index = from
  while (index > 0) {
    const parent = (index - 1) >> 1
    if (compare(item, items[parent]!) >= 0) break
    set(index, items[parent]!)
    index = parent
  }
  for (;;) {
    const left = 2 * index + 1
    if (left >= items.length) return index
    const right = left + 1
    const isRight = right < items.length && compare(items[right]!, items[left]!) < 0
    const child = isRight ? right : left
    if (compare(items[child]!, item) >= 0) return index
    set(index, items[child]!)
    index = child
  }
}
