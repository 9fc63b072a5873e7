import type { IncomingMessage, ServerResponse } from 'node:http'

/** Content a test server has, and how it misbehaves with it. May be changed while it serves. */
export interface Served {
  body: Buffer
  etag?: string
  contentType?: string
  /** Answers 200 with everything to a request for a range. */
  ignoresRange?: boolean
  /** Answers 206 with the rest of what it has now, whatever `If-Range` names. */
  ignoresIfRange?: boolean
  /** One number is taken for each answer: the connection is cut after so many bytes of it. */
  cutAfterBytes?: number[]
  /** Names no length, and ends after so many bytes as if that were all. */
  endsAfterBytes?: number
  /** The rest is sent when this resolves; before it, `pauseAfterBytes` of the answer. */
  pause?: Promise<unknown>
  pauseAfterBytes?: number
  /** Sent instead, for each answer the next one. */
  statuses?: number[]
}

const CHUNK_BYTES = 64 * 1024

/** Answers as a file server does: ranges, `If-Range`, `ETag`, and the faults of `served`. */
export const serveBytes = async (
  request: IncomingMessage,
  response: ServerResponse,
  served: Served,
): Promise<void> => {
  const status = served.statuses?.shift()
  if (status !== undefined) return void response.writeHead(status).end()
  const total = served.body.length
  const from = rangeStart(request, served)
  if (from > total || (from === total && from > 0))
    return void response.writeHead(416, { 'content-range': `bytes */${total}` }).end()
  const rest = served.body.subarray(from, served.endsAfterBytes)
  response.writeHead(from > 0 ? 206 : 200, {
    'content-type': served.contentType ?? 'application/octet-stream',
    ...(served.endsAfterBytes === undefined ? { 'content-length': rest.length } : {}),
    ...(from > 0 ? { 'content-range': `bytes ${from}-${total - 1}/${total}` } : {}),
    ...(served.etag === undefined ? {} : { etag: served.etag }),
  })
  const cut = served.cutAfterBytes?.shift()
  const pauseAt = served.pause ? (served.pauseAfterBytes ?? 0) : Infinity
  await send(response, rest.subarray(0, Math.min(cut ?? Infinity, pauseAt)))
  if (rest.length > pauseAt && cut === undefined) {
    await served.pause
    await send(response, rest.subarray(pauseAt))
  }
  if (cut === undefined) response.end()
  else response.destroy()
}

const rangeStart = ({ headers }: IncomingMessage, served: Served): number => {
  const { etag, ignoresRange, ignoresIfRange } = served
  const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
  const condition = ignoresIfRange ? undefined : headers['if-range']
  return ignoresRange || (condition !== undefined && condition !== etag) ? 0 : from
}

/** In pieces, each on its way before the next: a cut comes after what was sent. */
const send = async (response: ServerResponse, bytes: Buffer): Promise<void> => {
  for (let at = 0; at < bytes.length && !response.destroyed; at += CHUNK_BYTES)
    await new Promise<void>((resolve) =>
      response.write(bytes.subarray(at, at + CHUNK_BYTES), () => resolve()),
    )
}
