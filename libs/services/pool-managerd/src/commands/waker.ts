/** Lets a generator sleep until there is something to yield, or until `signal` aborts. */
export interface Waker extends Disposable {
  wake(): void
  /** Resolves at once when `wake` was called since the last time. */
  woken(): Promise<void>
}

export const createWaker = (signal: AbortSignal): Waker => {
  let next = Promise.withResolvers<undefined>()
  const wake = () => next.resolve(undefined)
  signal.addEventListener('abort', wake, { once: true })
  if (signal.aborted) wake()
  return {
    wake,
    woken: async () => {
      await next.promise
      next = Promise.withResolvers<undefined>()
    },
    [Symbol.dispose]: () => signal.removeEventListener('abort', wake),
  }
}
