import type { Cancel } from '@berth/kernel'

/** Lines kept of each pool, over the lives of its instances. */
export const LINES_KEPT = 1_000
/** A longer line is cut. */
const LINE_MAX_CHARS = 4_096

/** The last lines of a pool's log, and who follows them. */
export interface LogRing {
  push(lines: readonly string[]): void
  /** The last `count` lines, oldest first. */
  last(count: number): readonly string[]
  follow(fn: (lines: readonly string[]) => void): Cancel
}

export const createLogRing = (): LogRing => {
  let kept: readonly string[] = []
  const followers = new Set<(lines: readonly string[]) => void>()
  return {
    push: (lines) => {
      const cut = lines.slice(-LINES_KEPT).map((line) => line.slice(0, LINE_MAX_CHARS))
      kept = [...kept, ...cut].slice(-LINES_KEPT)
      for (const follower of followers) follower(cut)
    },
    last: (count) => (count > 0 ? kept.slice(-count) : []),
    follow: (fn) => {
      followers.add(fn)
      return () => followers.delete(fn)
    },
  }
}
