import type { AgentMetrics } from '../metrics.ts'
import type { Sample } from '../pool/performance.ts'
import type { Pool } from '../pool/pool.ts'
import type { RelayOutcome } from './relay.ts'

type Done = Extract<RelayOutcome, { readonly kind: 'done' }>

/**
 * Counts a relayed request and learns from it how the pool does. `occupancyBefore`: requests in
 * flight when it began, itself counted.
 */
export const recordOutcome = (
  pool: Pool,
  outcome: RelayOutcome,
  metrics: AgentMetrics,
  occupancyBefore = pool.slots.active,
) => {
  const labels = { pool_id: pool.spec.poolId }
  metrics.requests.inc({ ...labels, outcome: outcome.kind })
  if (outcome.kind === 'cancelled' && outcome.orphanedMs !== undefined)
    metrics.orphanedSeconds.inc(labels, outcome.orphanedMs / 1_000)
  if (outcome.kind !== 'done' || outcome.status >= 300) return
  const { usage } = outcome
  if (usage) {
    metrics.tokens.inc({ ...labels, direction: 'in' }, usage.tokensIn)
    metrics.tokens.inc({ ...labels, direction: 'out' }, usage.tokensOut)
  }
  // Others came and went while it ran.
  pool.recordSample(sampleOf(outcome, (occupancyBefore + pool.slots.active) / 2))
}

/** Only a stream shows when its first token came; the rest of its time is decoding. */
const sampleOf = ({ isStream, firstByteMs, totalMs, usage }: Done, occupancy: number): Sample => {
  const decodeMs = isStream ? totalMs - firstByteMs : totalMs
  const tokens = (usage?.tokensOut ?? 0) - (isStream ? 1 : 0)
  return {
    occupancy,
    ...(usage ? { promptTokens: usage.tokensIn } : {}),
    ...(isStream ? { firstTokenMs: firstByteMs } : {}),
    ...(tokens > 0 && decodeMs > 0 ? { tokensPerS: (tokens * 1_000) / decodeMs } : {}),
  }
}
