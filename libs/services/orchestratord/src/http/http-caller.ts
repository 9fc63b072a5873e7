import type { Response } from 'express'
import { BerthError, type Cancel, type Clock } from '@berth/kernel'
import type { AnswerHead, Caller } from '../caller.ts'
import type { QueueState } from '../session.ts'
import { toErrorAnswer } from './error-envelope.ts'
import { contextOf } from './request-context.ts'
import { sendError } from './send-error.ts'
import { answerHeaders } from './upstream-headers.ts'

/** A stream that waits is opened after the first, and shows that it lives each second. */
const FIRST_COMMENT_MS = 1_000
const COMMENT_EVERY_MS = 5_000
/** An engine's error of more than this is cut when it must become an event. */
const MAX_EVENT_BYTES = 65_536

const EVENT_STREAM = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache',
  // nginx would hold events back.
  'X-Accel-Buffering': 'no',
}

export interface HttpCallerOptions {
  readonly res: Response
  readonly isStream: boolean
  readonly clock: Clock
  readonly slowReaderMs: number
}

/** A caller over HTTP, in the OpenAI dialect. `cutOff` ends it from outside, with an error. */
export type HttpCaller = Caller & Disposable & { cutOff(error: BerthError): void }

/**
 * What the client sees: nothing until the answer begins, or for a stream that waits long an opened
 * event stream with comments; whatever fails after that is an event, never a clean end.
 */
export const createHttpCaller = (options: HttpCallerOptions): HttpCaller => {
  const { res } = options
  const left = new AbortController()
  const waits = createQueueComments(options, () => {
    if (!res.headersSent) res.writeHead(200, EVENT_STREAM)
  })
  let isEvents = false
  let wrapped: Buffer[] | undefined

  const onClose = () => {
    waits.stop()
    if (!res.writableFinished) left.abort(clientClosed())
  }
  res.once('close', onClose)
  if (res.destroyed) onClose()

  const fail = (error: BerthError) => {
    waits.stop()
    if (left.signal.aborted || res.writableEnded) return
    if (!res.headersSent) {
      sendError(res, error)
      res.end()
    } else if (isEvents || waits.hasOpened()) {
      const { body } = toErrorAnswer(error, contextOf(res).correlationId)
      // The line end closes an event that may have been cut between its lines.
      res.end(`\n${event(JSON.stringify(body))}`)
    } else res.destroy()
  }
  const answer = (head: AnswerHead) => {
    waits.stop()
    isEvents = String(head.headers['content-type'] ?? '').startsWith('text/event-stream')
    if (!res.headersSent) res.writeHead(head.status, answerHeaders(head) as Record<string, string>)
    else {
      // Status and headers are spent on the comments: what Berth adds becomes one of them, and an
      // engine's answer that is no stream an event.
      res.write(berthComment(head))
      if (!isEvents) wrapped = []
    }
  }
  const write = (chunk: Uint8Array): Promise<void> | undefined => {
    if (wrapped) return void wrapped.push(Buffer.from(chunk))
    return res.write(chunk) ? undefined : drained(options, left)
  }
  const end = () => {
    if (wrapped) res.write(event(oneLine(Buffer.concat(wrapped).subarray(0, MAX_EVENT_BYTES))))
    res.end()
  }
  return {
    gone: left.signal,
    queued: waits.queued,
    started: waits.stop,
    answer,
    write,
    end,
    fail,
    cutOff: (error) => {
      fail(error)
      left.abort(error)
    },
    [Symbol.dispose]: () => {
      waits.stop()
      res.off('close', onClose)
    },
  }
}

/** The comments of a stream that waits; `open` sends the head of the event stream. */
const createQueueComments = ({ res, clock, isStream }: HttpCallerOptions, open: () => void) => {
  const startedAtMs = contextOf(res).arrivedAtMs
  let state: QueueState | undefined
  let cancel: Cancel | undefined
  let hasOpened = false

  const comment = () => {
    open()
    hasOpened = true
    res.write(`: queued position=${state!.position} eta_ms=${state!.etaMs}\n\n`)
    cancel = clock.after(COMMENT_EVERY_MS, comment)
  }
  return {
    hasOpened: () => hasOpened,
    queued: (next: QueueState) => {
      state = next
      if (!isStream || cancel !== undefined) return
      const dueMs = hasOpened ? COMMENT_EVERY_MS : startedAtMs + FIRST_COMMENT_MS - clock.now()
      cancel = clock.after(Math.max(0, dueMs), comment)
    },
    stop: () => {
      cancel?.()
      cancel = undefined
    },
  }
}

const drained = ({ res, clock, slowReaderMs }: HttpCallerOptions, left: AbortController) =>
  new Promise<void>((resolve, reject) => {
    const settle = (error?: BerthError) => {
      cancel()
      res.off('drain', onDrain)
      gone.removeEventListener('abort', onGone)
      if (error === undefined) return resolve()
      res.destroy()
      reject(error)
    }
    const onDrain = () => settle()
    const gone = left.signal
    const onGone = () => settle(BerthError.from(gone.reason))
    const cancel = clock.after(slowReaderMs, () => left.abort(slowReader(slowReaderMs)))
    res.once('drain', onDrain)
    gone.addEventListener('abort', onGone, { once: true })
    if (gone.aborted) onGone()
  })

const berthComment = ({ berth }: AnswerHead) =>
  `: ${Object.entries(berth)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')}\n\n`

const event = (data: string) => `data: ${data}\n\n`

const oneLine = (bytes: Buffer) => bytes.toString('utf8').replaceAll(/[\r\n]+/g, ' ')

const clientClosed = () => new BerthError('CLIENT_CLOSED', 'The client closed the connection.')

const slowReader = (ms: number) =>
  new BerthError('SLOW_CONSUMER', `The client read nothing for ${ms} ms.`)
