import type { Clock } from '@berth/kernel'

/** Longest delay of a Node timer; a longer one would fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1

/** The real clock. Its timers keep the process alive until they fire or are cancelled. */
export const systemClock = (): Clock => ({
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, fn) => {
    let left = ms
    const arm = (): NodeJS.Timeout => {
      const step = Math.min(left, TIMER_MAX_MS)
      left -= step
      return setTimeout(() => (left > 0 ? (timer = arm()) : fn()), step)
    }
    let timer = arm()
    return () => clearTimeout(timer)
  },
})
