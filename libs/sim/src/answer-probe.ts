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
  clock: Clock,
): Promise<Response> =>
  new Promise((resolve) => {
    const engine = find()
    if (engine?.isHung) {
      const stop = clock.after(probe.timeoutMs, () => {
        stopWatching()
        resolve({ kind: 'timeout' })
      })
      const stopWatching = engine.onGone(() => {
        stop()
        stopWatching()
        resolve({ kind: 'refused', error: 'socket hang up' })
      })
      return
    }
    clock.after(TOOK_MS, () => resolve(answerOf(find(), probe)))
  })

const answerOf = (engine: SimEngine | undefined, { path }: Probe): Response => {
  if (!engine?.isListening) return { kind: 'refused', error: 'connect ECONNREFUSED' }
  if (!engine.looksReady) {
    const body = JSON.stringify({ error: { message: 'Loading model', code: 503 } })
    return { kind: 'answer', status: 503, body, tookMs: TOOK_MS }
  }
  const models = JSON.stringify({ data: [{ id: engine.options.modelId }] })
  const body = path === '/v1/models' ? models : '{}'
  return { kind: 'answer', status: 200, body, tookMs: TOOK_MS }
}
