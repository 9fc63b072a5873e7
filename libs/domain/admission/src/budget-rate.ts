/** Requests of one key by the second they came in, over the last minute. */
export interface RequestRate {
  /** Of each slot, which second it counts. */
  readonly seconds: Float64Array
  readonly counts: Uint32Array
}

/** A sliding minute touches as many seconds: sixty whole ones and the one that runs. */
const SLOTS = 61
const SECOND_MS = 1_000

/** A key nobody has used. */
export const createRequestRate = (): RequestRate => ({
  seconds: new Float64Array(SLOTS).fill(-1),
  counts: new Uint32Array(SLOTS),
})

/**
 * Counts a request that came at `arrivedAtMs` unless the minute before `nowMs` holds `perMinute`
 * already; then nothing is counted. Returns 0, or in how many milliseconds one will be counted.
 */
export const countRequest = (
  rate: RequestRate,
  perMinute: number,
  { arrivedAtMs, nowMs }: { readonly arrivedAtMs: number; readonly nowMs: number },
): number => {
  const freeAtMs = freeAt(rate, perMinute, Math.floor(nowMs / SECOND_MS))
  if (freeAtMs !== undefined) return Math.max(1, Math.ceil(freeAtMs - nowMs))
  countAnyhow(rate, arrivedAtMs)
  return 0
}

/** Counts a request that is let in whatever the rate is. */
export const countAnyhow = (rate: RequestRate, arrivedAtMs: number): void => {
  const second = Math.floor(arrivedAtMs / SECOND_MS)
  const slot = slotOf(second)
  if (rate.seconds[slot]! > second) return
  if (rate.seconds[slot] !== second) {
    rate.seconds[slot] = second
    rate.counts[slot] = 0
  }
  rate.counts[slot]! += 1
}

/** Takes a request back that came at `arrivedAtMs`: it will come again. */
export const uncountRequest = (rate: RequestRate, arrivedAtMs: number): void => {
  const second = Math.floor(arrivedAtMs / SECOND_MS)
  const slot = slotOf(second)
  if (rate.seconds[slot] === second && rate.counts[slot]! > 0) rate.counts[slot]! -= 1
}

/** When the oldest request leaves that is one too many; undefined when there is room now. */
const freeAt = (rate: RequestRate, perMinute: number, second: number): number | undefined => {
  let room = perMinute
  for (let age = 0; age < SLOTS; age++) {
    const slot = slotOf(second - age)
    if (rate.seconds[slot] !== second - age) continue
    room -= rate.counts[slot]!
    if (room <= 0) return (second - age + SLOTS) * SECOND_MS
  }
  return undefined
}

const slotOf = (second: number): number => ((second % SLOTS) + SLOTS) % SLOTS
