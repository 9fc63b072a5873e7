import type { Clock } from '@berth/kernel'
import type { Caller } from './caller.ts'
import { countEvents } from './count-events.ts'
import type { IngressResponse } from './ingress.ts'
import { createWholeLines } from './whole-lines.ts'

export type RelayEnd = Relayed &
  (
    | { readonly kind: 'completed' }
    /** The upstream broke off. `hasAnswered`: the caller has some of it: there is no way back. */
    | { readonly kind: 'broken'; readonly hasAnswered: boolean; readonly cause: unknown }
    /** The caller left, or stopped reading. */
    | { readonly kind: 'gone' }
  )

/** What went through. */
export interface Relayed {
  /** Undefined for an empty body. */
  readonly firstByteAtMs: number | undefined
  /** Events that came, of an event stream. */
  readonly events: number
}

/**
 * Moves the body of an answer to the caller, byte by byte as it comes, at the pace of the slower
 * side. The answer is opened with its first byte. Of an event stream only whole lines go out, so
 * that one which breaks off can be ended with an event that parses.
 */
export const relay = async (
  response: IngressResponse,
  caller: Caller,
  options: { readonly clock: Clock; openAnswer(): void },
): Promise<RelayEnd> => {
  const lines = isEventStream(response) ? createWholeLines() : undefined
  let firstByteAtMs: number | undefined
  let events = 0
  const open = () => {
    firstByteAtMs = options.clock.now()
    options.openAnswer()
  }
  try {
    for await (const chunk of response.body) {
      const ready = lines ? lines.push(chunk) : chunk
      if (ready.length === 0) continue
      if (firstByteAtMs === undefined) open()
      if (lines) events += countEvents(ready)
      const full = caller.write(ready)
      if (full && (await isRefused(full))) return { kind: 'gone', firstByteAtMs, events }
    }
  } catch (cause) {
    if (caller.gone.aborted) return { kind: 'gone', firstByteAtMs, events }
    const hasAnswered = firstByteAtMs !== undefined
    return { kind: 'broken', hasAnswered, firstByteAtMs, events, cause }
  }
  if (firstByteAtMs === undefined) options.openAnswer()
  const rest = lines?.rest()
  if (rest && rest.length > 0) void caller.write(rest)?.catch(() => undefined)
  caller.end()
  return { kind: 'completed', firstByteAtMs, events }
}

const isRefused = (write: Promise<void>) =>
  write.then(
    () => false,
    () => true,
  )

const isEventStream = ({ headers }: IngressResponse) =>
  String(headers['content-type'] ?? '').startsWith('text/event-stream')
