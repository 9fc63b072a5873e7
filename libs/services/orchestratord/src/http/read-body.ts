import type { IncomingMessage } from 'node:http'
import { BerthError } from '@berth/kernel'
import { invalidParam } from './error-envelope.ts'

/** The bytes of a request. Disposing, once or more often, lets them go: then there are none. */
export interface Body extends Disposable {
  readonly bytes: Uint8Array
}

export interface BodyLimits {
  readonly maxBodyBytes: number
  readonly maxInflightBodyBytes: number
  onBytes(inflight: number): void
}

/** Reads bodies, and holds an account of the bytes of all that are not disposed yet. */
export interface BodyReader {
  read(req: IncomingMessage): Promise<Body>
}

export const createBodyReader = (limits: BodyLimits): BodyReader => {
  let inflight = 0
  const count = (bytes: number) => {
    inflight += bytes
    limits.onBytes(inflight)
  }
  const checkBound = (bytes: number) => {
    if (bytes > limits.maxBodyBytes) throw tooLarge(limits.maxBodyBytes)
    if (inflight + bytes > limits.maxInflightBodyBytes) throw exhausted()
  }

  /** Counts as it reads; gives the bytes back when it fails. */
  const collect = async (req: IncomingMessage, declared: number): Promise<Body> => {
    let counted = declared
    count(declared)
    try {
      const chunks: Buffer[] = []
      let read = 0
      await forEachChunk(req, (chunk) => {
        chunks.push(chunk)
        read += chunk.length
        if (read <= counted) return
        if (read > limits.maxBodyBytes) throw tooLarge(limits.maxBodyBytes)
        if (inflight + read - counted > limits.maxInflightBodyBytes) throw exhausted()
        count(read - counted)
        counted = read
      })
      return holdBytes(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, read), () => {
        count(-counted)
        counted = 0
      })
    } catch (error) {
      count(-counted)
      throw error
    }
  }
  return {
    read: async (req) => {
      const encoding = req.headers['content-encoding'] ?? 'identity'
      if (encoding !== 'identity')
        throw invalidParam(
          'Content-Encoding',
          `Content-Encoding ${encoding} is not supported: send the body as it is.`,
        )
      const declared = Number(req.headers['content-length'] ?? 0)
      checkBound(declared)
      return collect(req, declared)
    },
  }
}

const NO_BYTES = new Uint8Array()

const holdBytes = (bytes: Uint8Array, release: () => void): Body => {
  let held = bytes
  return {
    get bytes() {
      return held
    },
    [Symbol.dispose]: () => {
      held = NO_BYTES
      release()
    },
  }
}

/** Unlike `for await`, leaves the request readable when `take` throws, to answer over it. */
const forEachChunk = (req: IncomingMessage, take: (chunk: Buffer) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    const settle = (error?: BerthError) => {
      req.off('data', onData).off('end', onEnd).off('close', onClose)
      if (error === undefined) resolve()
      else reject(error)
    }
    const onData = (chunk: Buffer) => {
      try {
        take(chunk)
      } catch (error) {
        settle(BerthError.from(error))
      }
    }
    const onEnd = () => settle()
    const onClose = () =>
      settle(new BerthError('CLIENT_CLOSED', 'The client left before its body was complete.'))
    req.on('data', onData).on('end', onEnd).on('close', onClose)
  })

const tooLarge = (maxBytes: number) =>
  new BerthError(
    'PAYLOAD_TOO_LARGE',
    `The body is larger than ${maxBytes} bytes, the limit of this gateway (max_body_bytes).`,
    { facts: { max_body_bytes: maxBytes } },
  )

const exhausted = () =>
  new BerthError(
    'REPLICA_EXHAUSTED',
    'This gateway holds as many bytes of request bodies as it may. Send the request again.',
    { retryAfterMs: 1_000 },
  )
