import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import { BerthError, messageOf, type Clock } from '@berth/kernel'
import { checkAddress, type HostRule } from './host-rules.ts'
import { checkLiteral, guardLookup, type Resolve } from './guard-lookup.ts'
import { SourceFailure } from './source-failure.ts'

const MAX_REDIRECTS = 8
const MAX_HEADER_BYTES = 64 * 1024
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** One question to a source. */
export interface GetRequest {
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  /** `Authorization`; it goes to the origin of `url` only, whatever redirects say. */
  readonly authorization?: string
  readonly signal: AbortSignal
}

/** What came back, after redirects. Its body has to be read or destroyed. */
export interface GetAnswer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly url: URL
  /** A redirect led to another origin than the one that was asked. */
  readonly isElsewhere: boolean
  readonly body: IncomingMessage
}

/**
 * Asks an allowed host. Rejects with `BerthError` where the way is forbidden, with `SourceFailure`
 * where nobody answers, and with the signal's reason.
 */
export type HttpGet = (request: GetRequest) => Promise<GetAnswer>

/** What `createHttpGet` works with. */
export interface HttpGetOptions {
  readonly rules: readonly HostRule[]
  readonly resolve: Resolve
  readonly clock: Clock
  /** Until the answer begins, each redirect for itself. */
  readonly answerMs: number
}

/**
 * GET for addresses that others choose: every hop is checked against the allowed hosts, and the
 * socket connects to addresses that were checked. `node:https` and not a library: redirects have
 * to be followed by hand here, it is loaded by the agent already, and takes a guarded `lookup`.
 */
export const createHttpGet =
  (options: HttpGetOptions): HttpGet =>
  async (request) => {
    let url = request.url
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const body = await askOnce(options, request, url, hop > 0)
      const status = body.statusCode ?? 0
      const { location } = body.headers
      if (!REDIRECTS.has(status) || location === undefined)
        return {
          ...{ status, headers: body.headers, url, body },
          isElsewhere: url.origin !== request.url.origin,
        }
      body.destroy()
      const next = URL.parse(location, url.href)
      if (!next) throw new SourceFailure(`${url.host} redirects to an address that is none`)
      if (url.protocol === 'https:' && next.protocol === 'http:')
        throw new BerthError('FORBIDDEN', `${url.host} redirects from https to http. ${NEXT}`)
      url = next
    }
    throw new BerthError(
      'MODEL_LOAD_FAILED',
      `${request.url.host} redirects more than ${MAX_REDIRECTS} times. ${NEXT}`,
    )
  }

const NEXT = 'Use the address of the file itself.'

const askOnce = async (
  { rules, resolve, clock, answerMs }: HttpGetOptions,
  { url: asked, headers, authorization, signal }: GetRequest,
  url: URL,
  isRedirect: boolean,
): Promise<IncomingMessage> => {
  signal.throwIfAborted()
  const rule = checkAddress(rules, url, isRedirect)
  if (Error.isError(rule)) throw rule
  const isPrivate = rule.isPrivateAllowed ? undefined : checkLiteral(url.hostname)
  if (isPrivate) throw isPrivate
  const send = url.protocol === 'https:' ? requestHttps : requestHttp
  const request = send(url, {
    agent: false,
    lookup: guardLookup(resolve, rule.isPrivateAllowed),
    signal,
    maxHeaderSize: MAX_HEADER_BYTES,
    headers: {
      'user-agent': 'berth',
      // Bytes as they are: lengths, ranges and digests are of the file itself.
      'accept-encoding': 'identity',
      ...headers,
      ...(authorization !== undefined && url.origin === asked.origin ? { authorization } : {}),
    },
  })
  const cancel = clock.after(answerMs, () =>
    request.destroy(new SourceFailure(`${url.host} did not answer within ${answerMs} ms`)),
  )
  try {
    return await new Promise((resolveAnswer, reject) => {
      request.on('response', resolveAnswer)
      request.on('error', reject)
      request.end()
    })
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof BerthError || error instanceof SourceFailure) throw error
    throw new SourceFailure(`${url.host} cannot be reached (${messageOf(error)})`, { cause: error })
  } finally {
    cancel()
  }
}
