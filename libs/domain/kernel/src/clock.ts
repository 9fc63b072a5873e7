/** Ends a timer. Calling it twice, or after the timer fired, does nothing. */
export type Cancel = () => void

/** Time as a port. Domain code takes `now` as an argument; shells hold a `Clock`. */
export interface Clock {
  /** Milliseconds on a clock that never jumps. Its origin means nothing. For durations. */
  now(): number
  /** Milliseconds since the Unix epoch; may jump. For what people read and for epochs. */
  wall(): number
  /** Calls `fn` once, `ms` milliseconds from now (0 or more). */
  after(ms: number, fn: () => void): Cancel
}

/**
 * Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts first.
 */
export const sleep = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    const onAbort = () => {
      cancel()
      reject(signal?.reason as Error)
    }
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })

/**
 * Calls `fn` every `ms` milliseconds until cancelled. The next call is armed after `fn` returned,
 * so that a slow `fn` never piles up.
 */
export const every = (clock: Clock, ms: number, fn: () => void): Cancel => {
  let cancelled = false
  let cancel = clock.after(ms, tick)
  function tick() {
    fn()
    if (!cancelled) cancel = clock.after(ms, tick)
  }
  return () => {
    cancelled = true
    cancel()
  }
}
