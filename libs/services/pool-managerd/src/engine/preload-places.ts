import type { StartTurn } from './start-turns.ts'

/** How many pools may be brought up at once when an agent starts; the others wait in order. */
export interface PreloadPlaces {
  /** True when a place is free now. */
  readonly isFree: boolean
  /** Waits for a place; rejects with the signal's reason when it aborts first. */
  take(signal: AbortSignal): Promise<StartTurn>
}

/** Models that load side by side share one disk and one memory: a few at a time are quicker. */
export const createPreloadPlaces = (limit: number): PreloadPlaces => {
  const waiting: (() => void)[] = []
  let taken = 0

  const place = (): StartTurn => {
    let isHeld = true
    return {
      release: () => {
        if (!isHeld) return
        isHeld = false
        taken -= 1
        waiting.shift()?.()
      },
    }
  }
  return {
    get isFree() {
      return taken < limit
    },
    take: (signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error)
        const enter = () => {
          signal.removeEventListener('abort', onAbort)
          taken += 1
          resolve(place())
        }
        const onAbort = () => {
          waiting.splice(waiting.indexOf(enter), 1)
          reject(signal.reason as Error)
        }
        if (taken < limit) return enter()
        waiting.push(enter)
        signal.addEventListener('abort', onAbort, { once: true })
      }),
  }
}
