import type { IncomingMessage } from 'node:http'
import { every, type Cancel, type Clock } from '@berth/kernel'
import { SourceFailure } from './source-failure.ts'

/** Slower than this is silence: a source that drips holds a download for ever. */
const MIN_BYTES_PER_WINDOW = 1024

/** Ends the body when less than 1 KiB came within `silenceMs`. `bytesSoFar` only grows. */
export const watchFlow = (
  body: IncomingMessage,
  { clock, silenceMs }: { readonly clock: Clock; readonly silenceMs: number },
  bytesSoFar: () => number,
): Cancel => {
  let before = bytesSoFar()
  return every(clock, silenceMs, () => {
    const now = bytesSoFar()
    if (now - before < MIN_BYTES_PER_WINDOW)
      body.destroy(new SourceFailure(`nothing more arrived for ${silenceMs} ms`))
    before = now
  })
}
