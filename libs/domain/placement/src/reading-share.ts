import { ROW, type FleetView, type PoolView } from '@berth/fleet'

/** How far back the share of an engine's time looks. */
const MEMORY_MS = 100_000
/** An engine's streams go on while it reads: this much of its time counts at most. */
const SHARE_MAX = 0.6

/**
 * How much longer a stream takes because its engine reads prompts meanwhile: an engine that spends
 * half of its time reading has half of it left for the steps between.
 */
export const stretchOf = (view: FleetView, pool: PoolView, now: number): number =>
  1 / (1 - readingShare(view, pool, now))

/** The share of a pool's time that went into reading the prompts granted there of late. */
export const readingShare = ({ speedRows }: FleetView, pool: PoolView, now: number): number => {
  const { values } = speedRows
  const row = pool.number * ROW.size
  const readingMs = values[row + ROW.readingMs]!
  if (readingMs === 0) return 0
  const age = Math.max(0, now - values[row + ROW.readingAtMs]!) / MEMORY_MS
  // Close to exp(-age), without its cost for every pool of every decision.
  return Math.min(SHARE_MAX, readingMs / (1 + age + (age * age) / 2) / MEMORY_MS)
}

/** Counts the reading of a prompt, in milliseconds; less than 0 takes it off again. */
export const addReading = (
  { speedRows }: FleetView,
  pool: PoolView,
  ms: number,
  now: number,
): void => {
  const { values } = speedRows
  const row = pool.number * ROW.size
  const kept = Math.exp(-Math.max(0, now - values[row + ROW.readingAtMs]!) / MEMORY_MS)
  values[row + ROW.readingMs] = Math.max(0, values[row + ROW.readingMs]! * kept + ms)
  values[row + ROW.readingAtMs] = now
}
