import { request, type IncomingMessage } from 'node:http'
import type { Clock } from '@berth/kernel'
import type { EngineAccess } from '@berth/supervision'
import { createUsageTail } from '../ingress/usage-tail.ts'
import type { Sample } from './performance.ts'

/** A generation made for its speed alone. */
export interface MeasuringRun {
  readonly modelId: string
  /** About so many; engines count in tokens of their own. */
  readonly promptTokens: number
  readonly maxTokens: number
  readonly timeoutMs: number
}

/** Tells runs apart, so that no cache of prompts makes them quicker. */
let runs = 0

/**
 * Asks the engine for a generation, past the ingress, and measures it. Undefined when it gave no
 * whole answer: it refused, was too slow, or the signal ended it.
 */
export const measureRun = (
  access: EngineAccess,
  run: MeasuringRun,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Sample | undefined> =>
  new Promise((resolve) => {
    const body = JSON.stringify(bodyOf(run))
    const startedAt = clock.now()
    const asking = request(`${access.baseUrl}/v1/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        ...access.headers,
      },
      agent: false,
    })
    const end = (sample?: Sample) => {
      cancelTimeout()
      signal.removeEventListener('abort', onAbort)
      asking.destroy()
      resolve(sample)
    }
    const onAbort = () => end()
    const cancelTimeout = clock.after(run.timeoutMs, onAbort)
    signal.addEventListener('abort', onAbort, { once: true })
    asking.on('error', onAbort)
    asking.once('response', (answer) =>
      follow(answer, { sinceStart: () => clock.now() - startedAt, end }),
    )
    if (signal.aborted) onAbort()
    else asking.end(body)
  })

const bodyOf = ({ modelId, promptTokens, maxTokens }: MeasuringRun) => ({
  model: modelId,
  prompt: `${(runs += 1)} ${'one two three four '.repeat(Math.ceil(promptTokens / 4))}`,
  max_tokens: maxTokens,
  temperature: 0,
  ignore_eos: true,
  stream: true,
  stream_options: { include_usage: true },
})

const follow = (
  answer: IncomingMessage,
  { sinceStart, end }: { sinceStart: () => number; end: (sample?: Sample) => void },
) => {
  const tail = createUsageTail()
  let firstTokenMs: number | undefined
  answer.on('data', (piece: Buffer) => {
    firstTokenMs ??= sinceStart()
    tail.push(piece)
  })
  answer.on('error', () => end())
  answer.on('end', () => {
    const usage = answer.complete && answer.statusCode === 200 ? tail.read() : undefined
    if (!usage || firstTokenMs === undefined) return end()
    const decodeMs = Math.max(0.001, sinceStart() - firstTokenMs)
    const later = usage.tokensOut - 1
    end({
      firstTokenMs,
      promptTokens: usage.tokensIn,
      ...(later > 0 ? { tokensPerS: (later * 1_000) / decodeMs } : {}),
    })
  })
}
