/** Messages that arrived and were not read yet, as an async iterable for one reader. */
export interface Inbox<T> extends AsyncIterable<T> {
  readonly push: (message: T) => void
  /** The reader is done after what is queued. */
  readonly end: () => void
  /** The reader gets the error after what is queued. The first of `end` and `fail` wins. */
  readonly fail: (error: Error) => void
}

/** The receiving half of a grpc-js call. */
interface Source {
  /** Called when `RECEIVE_HIGH_WATER` messages wait. A few on their way may still be pushed. */
  pause(): unknown
  /** Called when the reader has taken all of them. */
  resume(): unknown
}

/** From here on the other side is slowed down. */
export const RECEIVE_HIGH_WATER = 64

interface Waiting<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void
  readonly reject: (error: Error) => void
}

type Ending = { readonly kind: 'end' } | { readonly kind: 'fail'; readonly error: Error }

/**
 * Cheaper than the iterator of a Node stream (one promise per read that has to wait, none of its
 * listeners), and a reader that stops early does not destroy the call: the call's owner does.
 */
export const createInbox = <T>(source: Source): Inbox<T> => {
  let queue: T[] = []
  let taken = 0
  let isPaused = false
  let waiting: Waiting<T> | undefined
  let ending: Ending | undefined

  const close = (how: Ending) => {
    if (ending) return
    ending = how
    const reader = waiting
    waiting = undefined
    if (!reader) return
    if (how.kind === 'end') reader.resolve({ done: true, value: undefined })
    else reader.reject(how.error)
  }

  const take = (): T => {
    const message = queue[taken++]!
    if (taken === queue.length) {
      queue = []
      taken = 0
      if (isPaused) {
        isPaused = false
        source.resume()
      }
    }
    return message
  }

  const next = (): Promise<IteratorResult<T, undefined>> => {
    if (queue.length > 0) return Promise.resolve({ done: false, value: take() })
    if (ending?.kind === 'end') return Promise.resolve({ done: true, value: undefined })
    if (ending) return Promise.reject(ending.error)
    return new Promise((resolve, reject) => {
      waiting = { resolve, reject }
    })
  }

  return {
    push: (message) => {
      if (ending) return
      if (waiting) {
        const reader = waiting
        waiting = undefined
        reader.resolve({ done: false, value: message })
        return
      }
      queue.push(message)
      if (!isPaused && queue.length - taken >= RECEIVE_HIGH_WATER) {
        isPaused = true
        source.pause()
      }
    },
    end: () => close({ kind: 'end' }),
    fail: (error) => close({ kind: 'fail', error }),
    [Symbol.asyncIterator]: () => ({ next }),
  }
}
