import type { Clock } from '@berth/kernel'
import { messageOf } from '@berth/kernel'
import type { GetAnswer } from './http-get.ts'
import { watchFlow } from './watch-flow.ts'
import { SourceFailure } from './source-failure.ts'

/** Reads the whole of a short answer. Rejects with `SourceFailure` beyond `maxBytes`. */
export const readBody = async (
  { body, url }: GetAnswer,
  options: { readonly maxBytes: number; readonly clock: Clock; readonly silenceMs: number },
): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let bytes = 0
  const stop = watchFlow(body, options, () => bytes)
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > options.maxBytes)
        throw new SourceFailure(`${url.host} answers with more than ${options.maxBytes} bytes`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  } catch (error) {
    if (error instanceof SourceFailure) throw error
    throw new SourceFailure(`${url.host} broke off (${messageOf(error)})`, { cause: error })
  } finally {
    stop()
    body.destroy()
  }
}
