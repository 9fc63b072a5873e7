import { sleep } from '@berth/kernel'
import { systemClock } from '@berth/runtime'

const DEADLINE_MS = 15_000
const clock = systemClock()

/** Waits until `look` gives something other than undefined or false. */
export const eventually = async <T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> => {
  const deadline = clock.now() + DEADLINE_MS
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (clock.now() > deadline) throw new Error(`Waited in vain: ${what}`)
    await sleep(clock, 10)
  }
}
