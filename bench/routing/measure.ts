import { coldPrefillMs, type EngineSpec } from './engine-speed.ts'
import type { Replayed } from './replay.ts'
import type { Trace } from './trace.ts'

/** How well a replay went. */
export interface Quality {
  readonly ttft_mean_ms: number
  readonly ttft_p99_ms: number
  readonly e2e_p99_ms: number
  /** Prompt tokens that an engine had in its prefix cache, of all prompt tokens. */
  readonly hit_rate: number
  /** Requests that met the objective, of all. */
  readonly goodput_ratio: number
}

/**
 * The objective of a request. First token: within 2 s and twice what its prompt takes on an idle
 * engine of the fleet's fastest kind with nothing cached. After it: 200 ms a token on average,
 * the pace of a fast reader.
 */
const FIRST_TOKEN_MS = 2_000
const PREFILL_TIMES = 2
const TOKEN_MS = 200

/** Measures the requests from index `from` on: those before it warm the caches up. */
export const measure = (
  trace: Trace,
  replayed: Replayed,
  fleet: readonly EngineSpec[],
  from: number,
): Quality => {
  const count = trace.count - from
  const reference = fastest(fleet)
  const ttft = new Float64Array(count)
  const e2e = new Float64Array(count)
  let promptTokens = 0
  let cachedTokens = 0
  let good = 0
  for (let n = 0; n < count; n++) {
    const job = from + n
    const arrivalMs = trace.arrivalMs[job]!
    ttft[n] = replayed.firstTokenMs[job]! - arrivalMs
    e2e[n] = replayed.finishedMs[job]! - arrivalMs
    promptTokens += trace.promptTokens[job]!
    cachedTokens += replayed.cached[job]!
    const tokenMs = (e2e[n]! - ttft[n]!) / Math.max(1, trace.outputTokens[job]! - 1)
    const allowedMs =
      FIRST_TOKEN_MS + PREFILL_TIMES * coldPrefillMs(reference, trace.promptTokens[job]!)
    if (ttft[n]! <= allowedMs && tokenMs <= TOKEN_MS) good += 1
  }
  return {
    ttft_mean_ms: round(ttft.reduce((sum, ms) => sum + ms, 0) / count, 1),
    ttft_p99_ms: round(quantile(ttft, 0.99), 1),
    e2e_p99_ms: round(quantile(e2e, 0.99), 1),
    hit_rate: round(cachedTokens / promptTokens, 4),
    goodput_ratio: round(good / count, 4),
  }
}

/** Requests a second that came to their end between the first and the last tenth. */
export const throughputPerS = ({ finishedMs }: Replayed): number => {
  const ends = finishedMs.toSorted()
  const from = Math.floor(ends.length * 0.1)
  const to = Math.floor(ends.length * 0.9)
  return ((to - from) * 1_000) / (ends[to]! - ends[from]!)
}

const fastest = (fleet: readonly EngineSpec[]): EngineSpec =>
  fleet.reduce((best, spec) => (spec.cost.promptTokenMs < best.cost.promptTokenMs ? spec : best))

const quantile = (values: Float64Array, share: number): number => {
  const sorted = values.toSorted()
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!
}

const round = (value: number, digits: number) => Number(value.toFixed(digits))
