import { setTimeout as after } from 'node:timers/promises'

/** Waits, or returns early when the signal aborts. */
export const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  if (ms <= 0 || signal.aborted) return
  try {
    await after(ms, undefined, { signal })
  } catch {
    // Only an abort rejects this wait, and the caller looks at its signal.
  }
}
