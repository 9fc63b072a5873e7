/** Remembers which leases have been used until they expire. */
export interface ReplaySet {
  /**
   * Marks a lease as used; false when it was used already, or when the set is full of leases that
   * are still in force (refusing is the safe side). Times are Unix milliseconds.
   */
  use(leaseId: string, expiresAtMs: number, nowMs: number): boolean
  /** Leases remembered now. */
  readonly size: number
}

/** An empty set of at most `capacity` leases. */
export const createReplaySet = (options: { readonly capacity: number }): ReplaySet => {
  const expiryOf = new Map<string, number>()
  // No lease expires before this, so that a sweep earlier finds nothing.
  let earliestMs = Infinity
  let nextSweepMs = 0

  const sweep = (nowMs: number) => {
    earliestMs = Infinity
    nextSweepMs = nowMs + SWEEP_INTERVAL_MS
    for (const [leaseId, expiresAtMs] of expiryOf) {
      if (expiresAtMs <= nowMs) expiryOf.delete(leaseId)
      else earliestMs = Math.min(earliestMs, expiresAtMs)
    }
  }

  return {
    use: (leaseId, expiresAtMs, nowMs) => {
      const isFull = expiryOf.size >= options.capacity
      if (earliestMs <= nowMs && (isFull || nowMs >= nextSweepMs)) sweep(nowMs)
      const seenUntilMs = expiryOf.get(leaseId)
      if (seenUntilMs !== undefined && seenUntilMs > nowMs) return false
      if (seenUntilMs === undefined && expiryOf.size >= options.capacity) return false
      expiryOf.set(leaseId, expiresAtMs)
      earliestMs = Math.min(earliestMs, expiresAtMs)
      return true
    },
    get size() {
      return expiryOf.size
    },
  }
}

/** A full walk at most this often, unless room is needed. */
const SWEEP_INTERVAL_MS = 1000
