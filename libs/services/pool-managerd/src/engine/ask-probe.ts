import { request } from 'node:http'
import { request as requestTls } from 'node:https'
import { messageOf, type Clock } from '@berth/kernel'
import type { EngineAccess, ProbeResponse, ProbeSpec } from '@berth/supervision'

/** More than a list of thousands of models needs: one that is cut says nothing. */
const BODY_MAX_BYTES = 4_194_304

/**
 * Asks an engine one question, as a port. Never throws: no answer is an answer. Aborted, it
 * answers at once and leaves nothing open.
 */
export type AskProbe = (
  access: EngineAccess,
  probe: ProbeSpec,
  signal: AbortSignal,
) => Promise<ProbeResponse>

/** Over HTTP, on a connection of its own so that it never waits behind a generation. */
export const askOverHttp =
  (clock: Clock): AskProbe =>
  (access, probe, signal) =>
    new Promise((resolve) => {
      const startedAt = clock.now()
      const url = new URL(access.baseUrl + probe.path)
      const asking = (url.protocol === 'https:' ? requestTls : request)(url, {
        headers: { ...access.headers, connection: 'close' },
        agent: false,
      })
      const end = (response: ProbeResponse) => {
        cancel()
        signal.removeEventListener('abort', onAbort)
        asking.destroy()
        resolve(response)
      }
      const onAbort = () => end({ kind: 'refused', error: 'nobody asks any more' })
      signal.addEventListener('abort', onAbort, { once: true })
      const cancel = clock.after(probe.timeoutMs, () => end({ kind: 'timeout' }))
      asking.on('error', (error) => end({ kind: 'refused', error: messageOf(error) }))
      asking.on('response', (response) => {
        const chunks: Buffer[] = []
        let bytes = 0
        const answered = () =>
          end({
            kind: 'answer',
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString(),
            tookMs: clock.now() - startedAt,
          })
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          if ((bytes += chunk.length) > BODY_MAX_BYTES) answered()
        })
        response.on('end', answered)
        response.on('error', (error) => end({ kind: 'refused', error: messageOf(error) }))
      })
      asking.end()
    })
