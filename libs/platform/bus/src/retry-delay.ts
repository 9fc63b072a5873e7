/** Waits between attempts: quick at first, then every 5 s. */
const DELAYS_MS = [100, 250, 500, 1000, 2000, 5000] as const

/** How long to wait after the given attempt (from 0), in milliseconds. */
export const retryDelayMs = (attempt: number): number => DELAYS_MS[attempt] ?? 5000
