import type { Cancel } from '@berth/kernel'

/** Who wants to know of something. */
export interface ListenerSet<T> {
  readonly add: (fn: (value: T) => void) => Cancel
  /** Calls those that are there now; one added meanwhile waits for the next. */
  readonly call: (value: T) => void
}

export const createListenerSet = <T>(): ListenerSet<T> => {
  const listeners = new Set<{ readonly fn: (value: T) => void }>()
  return {
    add: (fn) => {
      const listener = { fn }
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    call: (value) => {
      for (const listener of [...listeners]) if (listeners.has(listener)) listener.fn(value)
    },
  }
}
