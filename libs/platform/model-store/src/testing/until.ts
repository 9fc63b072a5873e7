import { sleep } from '@berth/kernel'
import { systemClock } from '@berth/runtime'

/** Waits for a condition, looking every 5 ms; rejects after 10 s. */
export const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  const clock = systemClock()
  const deadline = clock.now() + 10_000
  while (!(await holds())) {
    if (clock.now() > deadline) throw new Error(`it never came true: ${holds.toString()}`)
    await sleep(clock, 5)
  }
}
