import {
  request as httpRequest,
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Clock } from '@berth/kernel'
import type { EngineAccess } from '@berth/supervision'
import { createBodyEditor, type BodyEditor } from './edit-body.ts'
import type { EngineTarget } from './engine-target.ts'
import { toEngine } from './headers.ts'
import { passBack } from './pass-back.ts'
import { readSeed } from './read-seed.ts'
import { sendBody } from './send-body.ts'
import type { Usage } from './usage-tail.ts'

/** How a relayed request ended. Times are milliseconds from its start. */
export type RelayOutcome =
  | {
      readonly kind: 'done'
      readonly status: number
      /** The engine streamed it, whatever the client asked for. */
      readonly isStream: boolean
      readonly firstByteMs: number
      readonly totalMs: number
      readonly usage: Usage | undefined
    }
  /** No byte of an answer came; nothing was sent to the gateway. */
  | { readonly kind: 'unreachable'; readonly error: string }
  | { readonly kind: 'silent' }
  | { readonly kind: 'too_large' }
  /** The gateway left, and for so long the engine worked on. Absent: it was told at once. */
  | { readonly kind: 'cancelled'; readonly orphanedMs?: number }
  /** The engine, or we, ended it in the middle of the body. */
  | { readonly kind: 'broken' }

export interface RelayOptions {
  readonly access: EngineAccess
  readonly instanceId: string
  /** What the body has to name as its model; absent where the engine looks at no names. */
  readonly model: string | undefined
  /** Where a body names its seed; absent where the engine takes none. */
  readonly seedField: string | undefined
  /** What the engine is told when the gateway leaves: by a closed connection, or nothing. */
  readonly onDisconnect: 'abort' | 'drain'
  /** Kept-alive connections, for engines that bear them. */
  readonly agents: { readonly http: Agent; readonly https: Agent }
  /** Reads the base address of an engine. */
  readonly targetOf: (baseUrl: string) => EngineTarget
  readonly clock: Clock
  readonly maxBodyBytes: number
  readonly firstByteTimeoutMs: number
  /** Aborted to end the request whatever it does: a drain's deadline, an engine being stopped. */
  readonly signal: AbortSignal
  /** Part of an answer is there: the engine works. */
  onPart(bytes: number, isStream: boolean): void
}

/** The routes whose answers come in tokens. */
const GENERATIONS: ReadonlySet<string> = new Set(['/v1/chat/completions', '/v1/completions'])

/**
 * Passes a request to the engine and its answer back: each side is read as fast as the other takes
 * it. At most three fields of the request are edited (the seed of a strict job, `stream`,
 * `include_usage`), and nothing of that shows in the answer. Answers the gateway itself only once
 * the engine's head is there, so that the caller may still refuse after `unreachable`, `silent`
 * and `too_large`.
 */
export const relay = (
  req: IncomingMessage,
  res: ServerResponse,
  options: RelayOptions,
): Promise<RelayOutcome> =>
  new Promise((resolve) => {
    const { access, clock, signal } = options
    const startedAt = clock.now()
    const editor = editorFor(req, options)
    let upstream: ClientRequest | undefined
    let answer: IncomingMessage | undefined
    let goneAt: number | undefined
    let isOver = false
    const end = (outcome: RelayOutcome) => {
      if (isOver) return
      isOver = true
      cancelTimeout()
      signal.removeEventListener('abort', onAbort)
      res.off('close', onGatewayGone)
      stopSending()
      upstream?.destroy()
      // A body that broke off must not look like one that ended.
      if (outcome.kind === 'broken') res.destroy()
      resolve(goneAt === undefined ? outcome : orphaned(clock.now() - goneAt))
    }
    const onAbort = () => {
      if (!res.headersSent) res.destroy()
      end({ kind: 'broken' })
    }
    const onGatewayGone = () => {
      if (options.onDisconnect === 'abort' || !req.complete) return end({ kind: 'cancelled' })
      // The engine works on, and its slot is in use: nobody reads, so nobody holds it back.
      goneAt = clock.now()
      cancelTimeout()
      cancelTimeout = clock.after(options.firstByteTimeoutMs, () => end({ kind: 'cancelled' }))
      answer?.resume()
    }
    let cancelTimeout = clock.after(options.firstByteTimeoutMs, () => end({ kind: 'silent' }))
    signal.addEventListener('abort', onAbort, { once: true })
    res.once('close', onGatewayGone)

    const open = (length: 'as_told' | number | undefined): ClientRequest => {
      upstream = ask(req, options, length)
      upstream.on('error', (error: Error) =>
        end(res.headersSent ? { kind: 'broken' } : { kind: 'unreachable', error: error.message }),
      )
      upstream.once('response', (response) => {
        answer = response
        if (goneAt === undefined) cancelTimeout()
        passBack(response, res, {
          ...options,
          asked: editor?.asked,
          mustStream: access.mustStream === true,
          sinceStart: () => clock.now() - startedAt,
          end,
        })
      })
      return upstream
    }
    const onTooLarge = () => end({ kind: 'too_large' })
    const stopSending = sendBody(req, { editor, open, maxBytes: options.maxBodyBytes, onTooLarge })
  })

const orphaned = (orphanedMs: number): RelayOutcome => ({ kind: 'cancelled', orphanedMs })

const editorFor = (
  req: IncomingMessage,
  { access, seedField, model }: RelayOptions,
): BodyEditor | undefined => {
  const seed = readSeed(req.headers, seedField)
  const isGeneration = GENERATIONS.has((req.url ?? '').split('?')[0]!)
  if (!isGeneration && !seed && model === undefined) return undefined
  const mustStream = isGeneration && access.mustStream === true
  return createBodyEditor({ seed, mustStream, model, asksUsage: isGeneration })
}

const ask = (
  req: IncomingMessage,
  { access, agents, targetOf }: RelayOptions,
  length: 'as_told' | number | undefined,
): ClientRequest => {
  const { isTls, host, port, pathPrefix } = targetOf(access.baseUrl)
  const headers = toEngine(req.headers, access.headers)
  if (length !== 'as_told') headers['content-length'] = length
  if (headers['content-length'] === undefined) delete headers['content-length']
  return (isTls ? httpsRequest : httpRequest)({
    ...{ method: 'POST', host, port, path: pathPrefix + (req.url ?? '/'), headers },
    agent: access.connections === 'fresh' ? false : agents[isTls ? 'https' : 'http'],
  })
}
