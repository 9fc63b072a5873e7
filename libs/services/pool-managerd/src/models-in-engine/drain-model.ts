import type { Cancel, Clock } from '@berth/kernel'
import type { Lease } from '../pool/slots.ts'

/** What becomes of requests that run in a model which is to go. */
export interface Drain {
  /** How long they may go on. */
  readonly deadlineMs: number
  /** Then they are ended. */
  readonly isForced: boolean
}

export interface DrainOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly leases: () => readonly Lease[]
  /** Calls `fn` whenever a slot is taken or given back. */
  readonly onSlots: (fn: () => void) => Cancel
}

/** An ended request gives its slot back at once, unless its connection is slow to close. */
const ABORT_MS = 5_000

/** Waits for the requests of a model to end. The number that still run when they may. */
export const drainModel = async (
  { deadlineMs, isForced }: Drain,
  on: DrainOptions,
): Promise<number> => {
  await untilNone(deadlineMs, on)
  if (!isForced || on.signal.aborted) return on.leases().length
  for (const lease of on.leases()) lease.abort()
  await untilNone(ABORT_MS, on)
  return on.leases().length
}

const untilNone = (ms: number, { clock, signal, leases, onSlots }: DrainOptions): Promise<void> =>
  new Promise((resolve) => {
    const end = () => {
      for (const cancel of cancels) cancel()
      resolve()
    }
    const look = () => {
      if (leases().length === 0) end()
    }
    const cancels = [
      onSlots(look),
      clock.after(ms, end),
      () => signal.removeEventListener('abort', end),
    ]
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    else look()
  })
