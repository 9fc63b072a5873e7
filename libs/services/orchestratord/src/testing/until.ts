import { setTimeout as pause } from 'node:timers/promises'

const DEADLINE_MS = 10_000

/** Resolves with the first truthy value of `look`, or fails with `what` after 10 s. */
export const until = async <T>(
  what: string,
  look: () => T | Promise<T>,
): Promise<Exclude<T, undefined | false | null>> => {
  const endsAt = performance.now() + DEADLINE_MS
  for (;;) {
    const value = await look()
    if (value) return value as Exclude<T, undefined | false | null>
    if (performance.now() > endsAt) throw new Error(`Gave up waiting until ${what}`)
    await pause(5)
  }
}
