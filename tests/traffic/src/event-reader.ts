import { StringDecoder } from 'node:string_decoder'

/** What an event stream has said so far. */
export interface EventReader {
  /** The `data` of the events that are whole by now. */
  readonly data: readonly string[]
  /** Comment lines: a gateway sends them while a request waits. */
  readonly comments: number
  push(bytes: Uint8Array): void
  /** What stands after the last whole event; whitespace aside it must be nothing. */
  rest(): string
}

/** Reads server-sent events from bytes that may be cut anywhere. */
export const createEventReader = (): EventReader => {
  const decoder = new StringDecoder('utf8')
  const data: string[] = []
  let held = ''
  let comments = 0
  const take = (block: string) => {
    const lines = block.split('\n')
    comments += lines.filter((line) => line.startsWith(':')).length
    const values = lines.flatMap((line) => /^data: ?(.*)$/.exec(line)?.slice(1) ?? [])
    if (values.length > 0) data.push(values.join('\n'))
  }
  return {
    data,
    get comments() {
      return comments
    },
    push: (bytes) => {
      held += decoder.write(Buffer.from(bytes))
      for (let end = held.indexOf('\n\n'); end >= 0; end = held.indexOf('\n\n')) {
        take(held.slice(0, end))
        held = held.slice(end + 2)
      }
    },
    rest: () => (held + decoder.end()).trim(),
  }
}
