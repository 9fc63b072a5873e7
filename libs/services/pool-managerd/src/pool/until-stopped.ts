import type { Pool } from './pool.ts'

/**
 * Stops a pool and resolves when nothing of its engine is left; requests may take `drainMs` to
 * end. Somebody who starts it meanwhile is too late. Rejects when the signal aborts.
 */
export const untilStopped = (pool: Pool, drainMs: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const look = () => {
      const { state, isWanted } = pool.supervised
      if (isWanted) return pool.end(0)
      if (state.kind === 'stopped') settle(resolve)
    }
    const onAbort = () => settle(() => reject(signal.reason as Error))
    const settle = (how: () => void) => {
      signal.removeEventListener('abort', onAbort)
      unlisten()
      how()
    }
    const unlisten = pool.onChange(look)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    pool.end(drainMs)
    look()
  })
