import { until } from '@berth/test-support'
import type { Traffic } from '@berth/traffic'

/** Resolves when this many more requests have ended. */
export const moreHaveEnded = async (traffic: Traffic, count: number): Promise<void> => {
  const before = traffic.snapshot().sent
  await until(`${count} more requests end`, () => traffic.snapshot().sent >= before + count)
}

/** Resolves when this many requests sent after a moment have been answered. */
export const servedSince = async (
  traffic: Traffic,
  momentMs: number,
  count: number,
): Promise<void> => {
  await until(
    `${count} requests are served again`,
    () =>
      traffic
        .snapshot()
        .entries.filter(({ verdict, sentAtMs }) => verdict.kind === 'ok' && sentAtMs >= momentMs)
        .length >= count,
  )
}

/** Runs something and says how long it took, in whole milliseconds. */
export const timed = async (run: () => Promise<unknown>): Promise<number> => {
  const startedAtMs = performance.now()
  await run()
  return Math.round(performance.now() - startedAtMs)
}
