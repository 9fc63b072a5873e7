import { LINES_KEPT, type LogRing } from '../engine/log-ring.ts'
import { createWaker } from './waker.ts'

/** Lines that wait for a slow reader; the oldest go first. */
const BEHIND_MAX = 5_000

/** The last `count` lines, then, with `isFollowing`, what comes until the signal aborts. */
export async function* tailRing(
  ring: LogRing,
  { count, isFollowing, signal }: { count: number; isFollowing: boolean; signal: AbortSignal },
): AsyncGenerator<readonly string[]> {
  let waiting: readonly string[] = ring.last(Math.min(count, LINES_KEPT))
  if (!isFollowing) {
    if (waiting.length > 0) yield waiting
    return
  }
  using waker = createWaker(signal)
  const unfollow = ring.follow((lines) => {
    waiting = [...waiting, ...lines].slice(-BEHIND_MAX)
    waker.wake()
  })
  try {
    while (!signal.aborted) {
      const lines = waiting
      waiting = []
      if (lines.length > 0) yield lines
      await waker.woken()
    }
  } finally {
    unfollow()
  }
}
