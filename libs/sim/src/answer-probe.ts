import type { Clock } from '@berth/kernel'
import type { AskProbe } from '@berth/pool-managerd'
import type { SimEngine } from './sim-engine.ts'

type Probe = Parameters<AskProbe>[1]
type Response = Awaited<ReturnType<AskProbe>>

const TOOK_MS = 2

/** What a virtual engine says to a probe, in the words of vLLM; a moment or a timeout later. */
export const answerProbe = (
  find: () => SimEngine | undefined,
  probe: Probe,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Response> =>
  new Promise((resolve) => {
    const engine = find()
    const end = (response: Response) => {
      stop()
      stopWatching()
      signal.removeEventListener('abort', onAbort)
      resolve(response)
    }
    const onAbort = () => end({ kind: 'refused', error: 'nobody asks any more' })
    const stopWatching = engine
      ? engine.onGone(() => end({ kind: 'refused', error: 'socket hang up' }))
      : () => undefined
    const stop = engine?.isHung
      ? clock.after(probe.timeoutMs, () => end({ kind: 'timeout' }))
      : clock.after(TOOK_MS, () => end(answerOf(find(), probe)))
    signal.addEventListener('abort', onAbort, { once: true })
  })

const answerOf = (engine: SimEngine | undefined, { path }: Probe): Response => {
  if (!engine?.isListening) return { kind: 'refused', error: 'connect ECONNREFUSED' }
  if (!engine.looksReady) {
    const body = JSON.stringify({ error: { message: 'Loading model', code: 503 } })
    return { kind: 'answer', status: 503, body, tookMs: TOOK_MS }
  }
  if (path === '/metrics')
    return { kind: 'answer', status: 200, body: metricsOf(engine), tookMs: TOOK_MS }
  const models = JSON.stringify({ data: [{ id: engine.options.modelId }] })
  const body = path === '/v1/models' ? models : '{}'
  return { kind: 'answer', status: 200, body, tookMs: TOOK_MS }
}

const metricsOf = ({ active, producedTokens }: SimEngine): string =>
  `vllm:num_requests_running ${active}\nvllm:generation_tokens_total ${producedTokens}\n`
