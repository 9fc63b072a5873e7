import { setTimeout as pause } from 'node:timers/promises'

const DEADLINE_MS = 30_000

/** Resolves with the first truthy value of `look`; rejects with `what` at the deadline. */
export const until = async <T>(
  what: string,
  look: () => T | Promise<T>,
  deadlineMs = DEADLINE_MS,
): Promise<Exclude<T, undefined | false | null>> => {
  const endsAt = performance.now() + deadlineMs
  for (;;) {
    const value = await look()
    if (value) return value as Exclude<T, undefined | false | null>
    if (performance.now() > endsAt) throw new Error(`Not within ${deadlineMs} ms: ${what}`)
    await pause(10)
  }
}
