import { request, type IncomingMessage } from 'node:http'
import { request as requestTls } from 'node:https'
import type { Clock } from '@berth/kernel'
import type { CallSign, CrashReport, EngineAccess, EngineCall } from '@berth/supervision'

/** How a call to an engine ended. */
export type CallEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly report: CrashReport }
  /** The connection ended before the answer did. */
  | { readonly kind: 'cut'; readonly error: string }
  /** Nothing came for so long. */
  | { readonly kind: 'silent'; readonly ms: number }
  | { readonly kind: 'cancelled' }

export interface CallOptions {
  readonly clock: Clock
  /** Closes the connection: the engine gives up what it was asked. */
  readonly signal: AbortSignal
  readLine(line: string, status: number): CallSign | undefined
  onProgress?(sign: Extract<CallSign, { readonly kind: 'progress' }>): void
  /** For how long it may be silent from now on; 0 or less is too long. Default: as the call says. */
  silenceLeftMs?(silentForMs: number): number
}

/** No line that an engine tells something in is longer; more of it is dropped. */
const LINE_MAX_CHARS = 65_536

/** Asks an engine to change something, and reads its answer line by line as it comes. */
export const callEngine = (
  access: Pick<EngineAccess, 'baseUrl' | 'headers'>,
  call: EngineCall,
  options: CallOptions,
): Promise<CallEnd> =>
  new Promise((resolve) => {
    const { clock, signal } = options
    const url = new URL(access.baseUrl + call.path)
    const asking = (url.protocol === 'https:' ? requestTls : request)(url, {
      method: call.method,
      headers: {
        ...access.headers,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(call.body),
        connection: 'close',
      },
      agent: false,
    })
    let heardAt = clock.now()
    const end = (how: CallEnd) => {
      cancelWait()
      signal.removeEventListener('abort', onAbort)
      asking.destroy()
      resolve(how)
    }
    const onAbort = () => end({ kind: 'cancelled' })
    const leftMs = options.silenceLeftMs ?? ((silentMs: number) => call.timeoutMs - silentMs)
    const wait = (): (() => void) => {
      const silentMs = clock.now() - heardAt
      const ms = leftMs(silentMs)
      if (ms <= 0) {
        end({ kind: 'silent', ms: silentMs })
        return () => undefined
      }
      return clock.after(ms, () => {
        cancelWait = wait()
      })
    }
    let cancelWait: () => void = () => undefined
    signal.addEventListener('abort', onAbort, { once: true })
    asking.on('error', (error) => end({ kind: 'cut', error: error.message }))
    asking.once('response', (answer) => {
      const onData = () => {
        heardAt = clock.now()
      }
      readAnswer(answer, { ...options, onData, end })
    })
    if (signal.aborted) return onAbort()
    cancelWait = wait()
    asking.end(call.body)
  })

const readAnswer = (
  answer: IncomingMessage,
  {
    readLine,
    onProgress,
    onData,
    end,
  }: CallOptions & { readonly onData: () => void; readonly end: (how: CallEnd) => void },
): void => {
  const status = answer.statusCode ?? 0
  let rest = ''
  const read = (line: string) => {
    const sign = readLine(line, status)
    if (sign?.kind === 'progress') onProgress?.(sign)
    else if (sign) end(sign)
  }
  answer.setEncoding('utf8')
  answer.on('data', (piece: string) => {
    onData()
    const lines = (rest + piece).split('\n')
    rest = (lines.pop() ?? '').slice(0, LINE_MAX_CHARS)
    for (const line of lines) if (line.trim() !== '') read(line)
  })
  answer.on('error', (error) => end({ kind: 'cut', error: error.message }))
  answer.on('end', () => {
    // Also what is empty may be an answer: the status then says it all.
    read(rest)
    end({ kind: 'cut', error: `${status}, and no word of how it went` })
  })
}
