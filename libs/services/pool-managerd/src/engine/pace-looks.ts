import type { Clock } from '@berth/kernel'
import { onceWritten } from './once-written.ts'

const POLL_MS = 250
/** After so many looks that found nothing the kernel is asked to tell of the next line. */
const QUIET_LOOKS = 8
/** A quiet file is looked at all the same, where a file system tells of no writes. */
const QUIET_MS = 10_000

/**
 * Looks at a file four times a second while it grows, and when it is written to once it has been
 * quiet for two seconds. `look` says whether there was something new. Disposing ends it.
 */
export const paceLooks = (
  { path, clock }: { readonly path: string; readonly clock: Clock },
  look: () => Promise<boolean>,
): Disposable => {
  let quietLooks = 0
  let cancel = () => {}
  let isClosed = false
  const poll = async () => {
    quietLooks = (await look()) ? 0 : quietLooks + 1
    if (isClosed) return
    if (quietLooks < QUIET_LOOKS) lookSoon()
    else await lookWhenWritten()
  }
  const lookSoon = () => {
    cancel()
    cancel = clock.after(POLL_MS, () => void poll())
  }
  const lookWhenWritten = async () => {
    cancel()
    cancel = onceWritten(path, { clock, ms: QUIET_MS, blindMs: POLL_MS }, () => void poll())
    // What came before the watch did is told by nobody.
    if (!(await look()) || isClosed) return
    quietLooks = 0
    lookSoon()
  }
  lookSoon()
  return {
    [Symbol.dispose]: () => {
      isClosed = true
      cancel()
    },
  }
}
