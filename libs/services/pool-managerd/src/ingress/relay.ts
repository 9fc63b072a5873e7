import {
  request as httpRequest,
  type Agent,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Clock } from '@berth/kernel'
import type { EngineAccess } from '@berth/supervision'
import { fromEngine, toEngine } from './headers.ts'
import { createSeedInsertion, lengthened, readSeedEdit } from './put-seed.ts'
import { createUsageTail, type Usage } from './usage-tail.ts'

/** How a relayed request ended. Times are milliseconds from its start. */
export type RelayOutcome =
  | {
      readonly kind: 'done'
      readonly status: number
      readonly isStream: boolean
      readonly firstByteMs: number
      readonly totalMs: number
      readonly usage: Usage | undefined
    }
  /** No byte of an answer came; nothing was sent to the gateway. */
  | { readonly kind: 'unreachable'; readonly error: string }
  | { readonly kind: 'silent' }
  | { readonly kind: 'too_large' }
  /** The gateway left. */
  | { readonly kind: 'cancelled' }
  /** The engine, or we, ended it in the middle of the body. */
  | { readonly kind: 'broken' }

export interface RelayOptions {
  readonly access: EngineAccess
  readonly instanceId: string
  /** Where a body names its seed; absent where the engine takes none. */
  readonly seedField: string | undefined
  /** Kept-alive connections, for engines that bear them. */
  readonly agents: { readonly http: Agent; readonly https: Agent }
  readonly clock: Clock
  readonly maxBodyBytes: number
  readonly firstByteTimeoutMs: number
  /** Aborted to end the request whatever it does: a drain's deadline, an engine being stopped. */
  readonly signal: AbortSignal
  /** Part of an answer is there: the engine works. */
  onPart(bytes: number, isStream: boolean): void
}

/**
 * Passes a request to the engine and its answer back, byte by byte: each side is read as fast as
 * the other takes it. Answers the gateway itself only once the engine's head is there, so that
 * the caller may still refuse after `unreachable`, `silent` and `too_large`.
 */
export const relay = (
  req: IncomingMessage,
  res: ServerResponse,
  options: RelayOptions,
): Promise<RelayOutcome> =>
  new Promise((resolve) => {
    const { access, clock } = options
    const startedAt = clock.now()
    const url = new URL(access.baseUrl + (req.url ?? '/'))
    const isTls = url.protocol === 'https:'
    const headers = toEngine(req.headers, access.headers)
    const edit = readSeedEdit(req.headers, options.seedField)
    const upstream = (isTls ? httpsRequest : httpRequest)(url, {
      method: 'POST',
      headers: edit ? lengthened(headers, edit) : headers,
      agent: access.connections === 'fresh' ? false : options.agents[isTls ? 'https' : 'http'],
    })
    let isOver = false
    const end = (outcome: RelayOutcome) => {
      if (isOver) return
      isOver = true
      cancelTimeout()
      options.signal.removeEventListener('abort', onAbort)
      res.off('close', onGatewayGone)
      req.unpipe()
      upstream.destroy()
      // A body that broke off must not look like one that ended.
      if (outcome.kind === 'broken') res.destroy()
      resolve(outcome)
    }
    const cancelTimeout = clock.after(options.firstByteTimeoutMs, () => end({ kind: 'silent' }))
    const onAbort = () => {
      if (!res.headersSent) res.destroy()
      end({ kind: 'broken' })
    }
    const onGatewayGone = () => end({ kind: 'cancelled' })
    options.signal.addEventListener('abort', onAbort, { once: true })
    res.once('close', onGatewayGone)

    upstream.on('error', (error: Error) =>
      end(res.headersSent ? { kind: 'broken' } : { kind: 'unreachable', error: error.message }),
    )
    upstream.once('response', (answer) => {
      cancelTimeout()
      passBack(answer, res, { ...options, startedAt }, end)
    })
    limitBody(req, options.maxBodyBytes, () => end({ kind: 'too_large' }))
    if (edit) req.pipe(createSeedInsertion(edit)).pipe(upstream)
    else req.pipe(upstream)
  })

const limitBody = (req: IncomingMessage, maxBytes: number, onTooLarge: () => void) => {
  let bytes = 0
  req.on('data', (chunk: Buffer) => {
    if ((bytes += chunk.length) > maxBytes) onTooLarge()
  })
}

const passBack = (
  answer: IncomingMessage,
  res: ServerResponse,
  { clock, instanceId, startedAt, onPart }: RelayOptions & { readonly startedAt: number },
  end: (outcome: RelayOutcome) => void,
) => {
  const status = answer.statusCode ?? 502
  const isStream = answer.headers['content-type']?.startsWith('text/event-stream') ?? false
  const tail = createUsageTail()
  let firstByteMs: number | undefined
  res.writeHead(status, {
    ...fromEngine(answer.headers),
    'berth-instance': instanceId,
    trailer: 'Berth-Usage',
  })
  // The head says that the engine works, long before its first token.
  res.flushHeaders()
  answer.on('data', (chunk: Buffer) => {
    firstByteMs ??= clock.now() - startedAt
    tail.push(chunk)
    onPart(chunk.length, isStream)
  })
  answer.on('end', () => {
    // 'end' comes for a body that broke off too.
    if (!answer.complete) return end({ kind: 'broken' })
    const usage = tail.read()
    if (usage) res.addTrailers({ 'Berth-Usage': `in=${usage.tokensIn},out=${usage.tokensOut}` })
    const totalMs = clock.now() - startedAt
    const done = { status, isStream, firstByteMs: firstByteMs ?? totalMs, totalMs, usage }
    end({ kind: 'done', ...done })
    res.end()
  })
  answer.on('error', () => end({ kind: 'broken' }))
  answer.on('aborted', () => end({ kind: 'broken' }))
  answer.pipe(res, { end: false })
}
