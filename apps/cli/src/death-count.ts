const WINDOW_MS = 60_000
const MAX_DEATHS = 5

/** Counts the deaths of a service within the last minute. */
export const createDeathCount = () => {
  const times: number[] = []
  return {
    /** Notes a death at `nowMs`; true when it has died more often than it is started again. */
    isOver: (nowMs: number): boolean => {
      times.push(nowMs)
      while (times[0]! < nowMs - WINDOW_MS) times.shift()
      return times.length > MAX_DEATHS
    },
  }
}
