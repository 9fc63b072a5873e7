/** Messages for one reader, in order. */
export interface Mailbox<T> extends AsyncIterable<T> {
  push(message: T): void
  /** The reader comes to its end once it has what is there. */
  end(): void
  /** As `end`, but the reader throws. The first end wins. */
  fail(error: Error): void
  /** As `fail`, and what is there is given up. */
  abandon(error: Error): void
}

type End = { readonly error: Error | undefined }

/** An empty mailbox. Unbounded: its owner bounds what is sent. */
export const createMailbox = <T>(): Mailbox<T> => {
  const waiting: T[] = []
  let end: End | undefined
  let wake: () => void = () => undefined

  const finish = (error: Error | undefined) => {
    end ??= { error }
    wake()
  }
  return {
    push: (message) => {
      if (end) return
      waiting.push(message)
      wake()
    },
    end: () => finish(undefined),
    fail: (error) => finish(error),
    abandon: (error) => {
      waiting.length = 0
      finish(error)
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        while (waiting.length > 0) yield waiting.shift()!
        if (end?.error) throw end.error
        if (end) return
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
  }
}
