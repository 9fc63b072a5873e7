import type { AgentMetrics } from '../metrics.ts'
import type { Sample } from '../pool/performance.ts'
import type { Pool } from '../pool/pool.ts'
import type { RelayOutcome } from './relay.ts'

/** Counts a relayed request and learns from it how the pool does. */
export const recordOutcome = (pool: Pool, outcome: RelayOutcome, metrics: AgentMetrics) => {
  const labels = { pool_id: pool.spec.poolId }
  metrics.requests.inc({ ...labels, outcome: outcome.kind })
  if (outcome.kind !== 'done' || outcome.status >= 300) return
  const { usage } = outcome
  if (usage) {
    metrics.tokens.inc({ ...labels, direction: 'in' }, usage.tokensIn)
    metrics.tokens.inc({ ...labels, direction: 'out' }, usage.tokensOut)
  }
  pool.recordSample(sampleOf(outcome))
}

/** Only a stream shows when its first token came; the rest of its time is decoding. */
const sampleOf = (outcome: Extract<RelayOutcome, { readonly kind: 'done' }>): Sample => {
  const { isStream, firstByteMs, totalMs, usage } = outcome
  const decodeMs = isStream ? totalMs - firstByteMs : totalMs
  const tokens = (usage?.tokensOut ?? 0) - (isStream ? 1 : 0)
  return {
    ...(isStream ? { firstTokenMs: firstByteMs } : {}),
    ...(tokens > 0 && decodeMs > 0 ? { tokensPerS: (tokens * 1_000) / decodeMs } : {}),
  }
}
