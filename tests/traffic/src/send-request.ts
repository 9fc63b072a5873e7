import { request as httpRequest, type Agent, type IncomingMessage } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { createEventReader, type EventReader } from './event-reader.ts'
import type { RequestPlan } from './plan-request.ts'

/**
 * How a request ended as its client saw it. `complete`: the body had its proper end on the
 * connection. `refused`: no connection, so nothing was sent. `broken`: it was cut. `left`: the
 * client's own choice. `timed_out`: the client gave up, which counts as a failure.
 */
export type Ending = 'complete' | 'refused' | 'broken' | 'left' | 'timed_out'

/** All that a client saw of an answer. Times are on `performance.now()`. */
export interface Observed {
  readonly ending: Ending
  /** Undefined when no head came. */
  readonly status: number | undefined
  readonly headers: IncomingMessage['headers']
  readonly events: EventReader
  /** The body where it is no event stream. */
  readonly text: string
  /** `ECONNRESET`, `ECONNREFUSED` ... */
  readonly errorCode: string | undefined
  readonly sentAtMs: number
  /** When the first event with data, or the first byte of another body, came. */
  readonly firstByteAtMs: number | undefined
  readonly endedAtMs: number
}

export interface SendOptions {
  readonly gateway: string
  readonly agent: Agent
  readonly timeoutMs: number
  /** A slow reader's rest after each piece. */
  readonly slowPauseMs: number
}

/** Sends one request, once, and watches its answer to the end. Never rejects. */
export const sendRequest = (plan: RequestPlan, options: SendOptions): Promise<Observed> =>
  new Promise((resolve) => {
    const sentAtMs = performance.now()
    const events = createEventReader()
    const parts: Buffer[] = []
    let response: IncomingMessage | undefined
    let firstByteAtMs: number | undefined
    let isOver = false

    const request = httpRequest(options.gateway + plan.route, {
      method: 'POST',
      agent: options.agent,
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(plan.body),
        'x-correlation-id': plan.correlationId,
      },
    })
    const end = (ending: Ending, errorCode?: string) => {
      if (isOver) return
      isOver = true
      clearTimeout(deadline)
      clearTimeout(leaveTimer)
      if (ending !== 'complete') request.destroy()
      resolve({
        ending,
        errorCode,
        status: response?.statusCode,
        headers: response?.headers ?? {},
        events,
        text: Buffer.concat(parts).toString('utf8'),
        sentAtMs,
        firstByteAtMs,
        endedAtMs: performance.now(),
      })
    }
    const leave = () => end('left')
    const deadline = setTimeout(() => end('timed_out'), options.timeoutMs)
    const { leaving } = plan
    const leaveTimer = leaving?.kind === 'after_ms' ? setTimeout(leave, leaving.ms) : undefined

    const onData = (isEvents: boolean) => (chunk: Buffer) => {
      if (isOver) return
      if (isEvents) events.push(chunk)
      else parts.push(chunk)
      if (!isEvents || events.data.length > 0) firstByteAtMs ??= performance.now()
      if (leaving?.kind === 'after_tokens' && events.data.length >= leaving.count) leave()
      if (plan.kind === 'slow') void rest(response!, options.slowPauseMs)
    }
    request.on('response', (answer) => {
      response = answer
      const isEvents = String(answer.headers['content-type']).startsWith('text/event-stream')
      answer.on('data', onData(isEvents))
      answer.on('error', (error: NodeJS.ErrnoException) => end('broken', error.code))
      answer.on('end', () => end(answer.complete ? 'complete' : 'broken'))
      answer.on('close', () => end('broken'))
    })
    request.on('error', (error: NodeJS.ErrnoException) =>
      end(error.code === 'ECONNREFUSED' ? 'refused' : 'broken', error.code),
    )
    request.end(plan.body)
  })

const rest = async (response: IncomingMessage, ms: number) => {
  response.pause()
  await pause(ms)
  response.resume()
}
