/** A call that is due. `order` decides among those of one moment: the first armed goes first. */
export interface Timer {
  readonly at: number
  readonly order: number
  readonly fn: () => void
  isArmed: boolean
}

/** Timers by due time: a binary heap. What is disarmed stays in it until it would be due. */
export interface TimerHeap {
  readonly armed: number
  add(timer: Timer): void
  /** Nothing when it is not armed any more. */
  disarm(timer: Timer): void
  earliest(): Timer | undefined
}

/** A heap without timers. */
export const createTimerHeap = (): TimerHeap => {
  const heap: Timer[] = []
  let armed = 0

  const swap = (a: number, b: number) => {
    const held = heap[a]!
    heap[a] = heap[b]!
    heap[b] = held
  }
  const rise = (at: number) => {
    for (let child = at; child > 0;) {
      const parent = (child - 1) >> 1
      if (!isBefore(heap[child]!, heap[parent]!)) return
      swap(child, parent)
      child = parent
    }
  }
  const sink = () => {
    for (let parent = 0; ;) {
      const left = 2 * parent + 1
      if (left >= heap.length) return
      const right = left + 1
      const child = right < heap.length && isBefore(heap[right]!, heap[left]!) ? right : left
      if (!isBefore(heap[child]!, heap[parent]!)) return
      swap(child, parent)
      parent = child
    }
  }
  const dropFirst = () => {
    const last = heap.pop()!
    if (heap.length === 0) return
    heap[0] = last
    sink()
  }
  return {
    get armed() {
      return armed
    },
    add: (timer) => {
      armed += 1
      heap.push(timer)
      rise(heap.length - 1)
    },
    disarm: (timer) => {
      if (!timer.isArmed) return
      timer.isArmed = false
      armed -= 1
    },
    earliest: () => {
      while (heap[0]?.isArmed === false) dropFirst()
      return heap[0]
    },
  }
}

const isBefore = (a: Timer, b: Timer) => a.at < b.at || (a.at === b.at && a.order < b.order)
