import { BerthError, type Cancel, type Clock } from '@berth/kernel'
import type { HttpCaller } from './http-caller.ts'

/**
 * Holds a request to the time its client gave it. While it waits for a slot core sees to that;
 * from the moment it has one, whatever is not answered in time is cut off with `DECODE_TIMEOUT`.
 * `deadlineMs` counts from the arrival; 0 is no limit.
 */
export const createTimeLimit = (clock: Clock, deadlineMs: number, arrivedAtMs: number) => {
  let cancel: Cancel | undefined
  return {
    guard: (caller: HttpCaller): HttpCaller => {
      if (deadlineMs === 0) return caller
      const cutOff = () => caller.cutOff(outOfTime(deadlineMs))
      const started = () => {
        const leftMs = arrivedAtMs + deadlineMs - clock.now()
        cancel ??= clock.after(Math.max(0, leftMs), cutOff)
        caller.started()
      }
      return { ...caller, started }
    },
    [Symbol.dispose]: () => cancel?.(),
  }
}

const outOfTime = (deadlineMs: number) =>
  new BerthError(
    'DECODE_TIMEOUT',
    `The answer was not complete within the ${deadlineMs} ms that X-Deadline-Ms allows.`,
  )
