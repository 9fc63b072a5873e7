import type { Cancel, Clock } from '../clock.ts'
import { createTimerHeap, type Timer } from './timer-heap.ts'

/** A virtual clock. Nothing happens until it is advanced; timers fire in time, then arming order. */
export interface SimClock extends Clock {
  /** Runs every timer due within `ms`, letting promises settle after each. */
  advance(ms: number): Promise<void>
  /** Moves the wall clock alone, as NTP or an operator would. */
  stepWall(ms: number): void
  /** Timers armed and not yet fired or cancelled. */
  pending(): number
  /** When the earliest timer is due, on `now()`'s axis. */
  nextAt(): number | undefined
}

/**
 * Starts at `now() = 0` with the wall clock at `wallMs`.
 *
 * Promises are let settle by one real `setImmediate` per fired timer: everything that was made
 * ready by the timer, and holds no real I/O, has run when the next one fires.
 */
export const createSimClock = (wallMs = Date.UTC(2026, 0, 1)): SimClock => {
  let now = 0
  let wallOffset = wallMs
  let order = 0
  const timers = createTimerHeap()

  const after = (ms: number, fn: () => void): Cancel => {
    const timer: Timer = { at: now + Math.max(0, ms), order: order++, fn, isArmed: true }
    timers.add(timer)
    return () => timers.disarm(timer)
  }

  const advance = async (ms: number): Promise<void> => {
    const end = now + ms
    await settle()
    for (;;) {
      const timer = timers.earliest()
      if (!timer || timer.at > end) break
      timers.disarm(timer)
      now = timer.at
      timer.fn()
      await settle()
    }
    now = end
  }

  return {
    now: () => now,
    wall: () => now + wallOffset,
    after,
    advance,
    stepWall: (ms) => {
      wallOffset += ms
    },
    pending: () => timers.armed,
    nextAt: () => timers.earliest()?.at,
  }
}

/** Lets every promise that is ready, and what it makes ready, run. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
