import { setTimeout as after } from 'node:timers/promises'

const DEADLINE_MS = 15_000
const POLL_MS = 5

/** Waits until `look` gives something other than undefined or false. */
export const eventually = async <T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> => {
  const deadline = performance.now() + DEADLINE_MS
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > deadline) throw new Error(`Waited in vain: ${what}`)
    await after(POLL_MS)
  }
}
