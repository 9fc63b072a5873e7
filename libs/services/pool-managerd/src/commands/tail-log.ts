import { LINES_KEPT, type LogRing } from '../engine/log-ring.ts'

/** Lines that wait for a slow reader; the oldest go first. */
const BEHIND_MAX = 5_000

/** The last `count` lines, then, with `isFollowing`, what comes until the signal aborts. */
export async function* tailRing(
  ring: LogRing,
  { count, isFollowing, signal }: { count: number; isFollowing: boolean; signal: AbortSignal },
): AsyncGenerator<readonly string[]> {
  let waiting: readonly string[] = ring.last(Math.min(count, LINES_KEPT))
  let wake = () => {}
  const unfollow = ring.follow((lines) => {
    waiting = [...waiting, ...lines].slice(-BEHIND_MAX)
    wake()
  })
  const onAbort = () => wake()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    while (!signal.aborted) {
      const lines = waiting
      waiting = []
      if (lines.length > 0) yield lines
      else if (!isFollowing) return
      if (!isFollowing) return
      if (waiting.length === 0 && !signal.aborted)
        await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    unfollow()
    signal.removeEventListener('abort', onAbort)
  }
}
