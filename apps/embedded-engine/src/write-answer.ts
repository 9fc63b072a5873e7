import type { ServerResponse } from 'node:http'
import type { CompletionBody } from './completion-body.ts'
import type { Generated } from './generate.ts'
import { problemBody, sendJson } from './http-answer.ts'

/** Takes an answer piece by piece to the client. */
export interface AnswerWriter {
  /** Resolves when the client has taken enough of what was written. */
  readonly text: (piece: string) => Promise<void> | void
  end(generated: Generated): void
  /** Tells of a failure in the middle; nothing when nothing was sent yet. */
  fail(): void
}

/** One JSON body at the end. */
export const wholeWriter = (response: ServerResponse, body: CompletionBody): AnswerWriter => {
  let text = ''
  return {
    text: (piece) => void (text += piece),
    end: (generated) => sendJson(response, 200, body.whole(text, generated)),
    fail: () => undefined,
  }
}

export interface StreamOptions {
  readonly hasUsageChunk: boolean
  /** Aborts when nobody reads any more. */
  readonly signal: AbortSignal
}

/** Server-sent events, as OpenAI's. A stream that failed has no `[DONE]`. */
export const streamWriter = (
  response: ServerResponse,
  body: CompletionBody,
  { hasUsageChunk, signal }: StreamOptions,
): AnswerWriter => {
  const write = (data: string): boolean => response.write(`data: ${data}\n\n`)
  const send = (chunk: unknown): boolean => write(JSON.stringify(chunk))
  // Headers go with the first piece: until then the request may still be refused.
  const open = (): void => {
    if (response.headersSent) return
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
    const first = body.first()
    if (first !== undefined) send(first)
  }
  return {
    text: (piece) => {
      open()
      if (!send(body.delta(piece))) return drained(response, signal)
    },
    end: (generated) => {
      open()
      send(body.last(generated))
      if (hasUsageChunk) send(body.usage(generated))
      write('[DONE]')
      response.end()
    },
    fail: () => {
      if (!response.headersSent) return
      send(problemBody({ status: 500, type: 'server_error', message: 'generation failed' }))
      response.end()
    },
  }
}

/** Waits while the client reads slower than the engine writes, until it is gone. */
const drained = (response: ServerResponse, signal: AbortSignal): Promise<void> | void => {
  if (signal.aborted) return
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    response.once('drain', done)
    signal.addEventListener('abort', done, { once: true })
  })
}
