import { createServer, request as httpRequest, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** What a relay may do to an answer that went through it. */
export type Lie =
  | 'none'
  | 'drops_event'
  | 'repeats_event'
  | 'ends_without_marker'
  | 'cuts_connection'
  | 'fakes_done'
  | 'says_done_twice'
  | 'ends_with_error'
  | 'refuses'
  | 'is_late'
  | 'asks_twice'
  | 'keeps_asking_for_those_who_left'

/** A relay between clients and engines that does not keep to the truth. */
export interface LyingRelay extends AsyncDisposable {
  readonly url: string
}

const LATE_MS = 700
const ERROR = { error: { code: 'WORKER_RESET', message: 'The engine broke off.' } }

/** Requests go to the engines in turn; only bodies of event streams are changed. */
export const startLyingRelay = async (
  lie: Lie,
  ...engines: readonly string[]
): Promise<LyingRelay> => {
  let turn = 0
  const server = createServer((req, res) => {
    const parts: Buffer[] = []
    req.on('data', (chunk: Buffer) => parts.push(chunk))
    req.on('end', () => {
      const engine = engines[turn++ % engines.length]!
      const ask = { url: `${engine}${req.url}`, id: String(req.headers['x-correlation-id']) }
      void relay(lie, res, { ...ask, body: Buffer.concat(parts) })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

interface Ask {
  readonly url: string
  readonly id: string
  readonly body: Buffer
}

const relay = async (lie: Lie, res: ServerResponse, ask: Ask): Promise<void> => {
  if (lie === 'refuses') return void res.writeHead(503).end(JSON.stringify(ERROR))
  if (lie === 'is_late') await pause(LATE_MS)
  if (lie === 'asks_twice') await drain(ask)
  const leaving = new AbortController()
  res.once('close', () => {
    if (lie !== 'keeps_asking_for_those_who_left') leaving.abort()
  })
  const upstream = send(ask, leaving.signal)
  upstream.on('error', () => res.destroy())
  upstream.on('response', (answer) => {
    res.writeHead(answer.statusCode ?? 502, { 'content-type': answer.headers['content-type'] })
    const isEvents = String(answer.headers['content-type']).startsWith('text/event-stream')
    let held = ''
    const bend = isEvents ? bender(lie, res) : (text: string) => res.write(text)
    answer.setEncoding('utf8')
    answer.on('data', (text: string) => {
      const blocks = (held + text).split('\n\n')
      held = blocks.pop() ?? ''
      if (isEvents) for (const block of blocks) bend(`${block}\n\n`)
      else bend(text)
    })
    answer.on('end', () => res.end())
    answer.on('error', () => res.destroy())
  })
}

const send = ({ url, id, body }: Ask, signal?: AbortSignal) =>
  httpRequest(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-correlation-id': id },
    ...(signal ? { signal } : {}),
  }).end(body)

/** Asks once for nobody. */
const drain = (ask: Ask) =>
  new Promise<void>((resolve) => {
    send(ask).on('response', (answer) => answer.resume().on('end', () => resolve()))
  })

const AT = 4

/** Writes the events of one answer, bent at the fourth or at the end. */
const bender = (lie: Lie, res: ServerResponse) => {
  let count = 0
  return (event: string) => {
    if (res.destroyed || res.writableEnded) return
    count += 1
    const isHere = count === AT
    if (lie === 'drops_event' && isHere) return
    if (lie === 'fakes_done' && isHere) return void res.end('data: [DONE]\n\n')
    if (lie === 'ends_with_error' && isHere)
      return void res.end(`data: ${JSON.stringify(ERROR)}\n\n`)
    if (lie === 'ends_without_marker' && event.includes('[DONE]')) return void res.end()
    res.write(event)
    if (lie === 'repeats_event' && isHere) res.write(event)
    if (lie === 'says_done_twice' && event.includes('[DONE]')) res.write(event)
    // What was written is to arrive before the cut.
    if (lie === 'cuts_connection' && isHere) setImmediate(() => setTimeout(() => res.destroy(), 20))
  }
}
