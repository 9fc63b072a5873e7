/** Messages that wait to be written to a call. */
export interface Outbox<T> {
  /** Writes now, or when everything before it was written. */
  readonly push: (message: T) => void
  /** Drops what waits here; the call may hold a few more. */
  readonly clear: () => void
  /** Calls `fn` once nothing waits here any more, at once when that is so now. */
  readonly whenEmpty: (fn: () => void) => void
  /** Messages not yet handed to the connection, with those the call holds. */
  readonly size: () => number
}

/** The sending half of a grpc-js call. */
interface Sink {
  readonly writableLength: number
  write(message: unknown): boolean
  on(event: 'drain', fn: () => void): unknown
}

/** Keeps to the call's own back-pressure, so that what waits can be counted and dropped. */
export const createOutbox = <T>(call: Sink): Outbox<T> => {
  let queue: T[] = []
  let isBlocked = false
  let onEmpty: (() => void) | undefined

  const pump = () => {
    while (queue.length > 0 && !isBlocked) isBlocked = !call.write(queue.shift())
    if (queue.length > 0) return
    onEmpty?.()
    onEmpty = undefined
  }
  call.on('drain', () => {
    isBlocked = false
    pump()
  })
  return {
    push: (message) => {
      if (isBlocked || queue.length > 0) queue.push(message)
      else isBlocked = !call.write(message)
    },
    clear: () => {
      queue = []
      onEmpty = undefined
    },
    whenEmpty: (fn) => {
      onEmpty = fn
      pump()
    },
    size: () => queue.length + call.writableLength,
  }
}
