import type { IncomingHttpHeaders } from 'node:http'
import type { Logger } from '@berth/runtime'
import type { Pool } from '../pool/pool.ts'
import type { RelayOutcome } from './relay.ts'

/** Who asked, and of which pool: what every line about a request tells. */
export const requestFacts = (headers: IncomingHttpHeaders, pool: Pool | undefined) => ({
  correlation_id: headers['x-correlation-id'],
  pool_id: pool?.spec.poolId,
  engine: pool?.spec.engine.engine,
  engine_version: pool?.engineVersion,
  model_id: pool?.spec.engine.modelId,
  device_mask: pool?.spec.devices,
})

/** What went wrong is told once; a request that went well only to who listens for everything. */
export const logRequest = (
  log: Logger,
  outcome: RelayOutcome,
  facts: () => Record<string, unknown>,
): void => {
  switch (outcome.kind) {
    case 'done':
      if (outcome.status < 500 && !log.isLevelEnabled('debug')) return
      return log[outcome.status < 500 ? 'debug' : 'warn'](
        {
          ...facts(),
          status: outcome.status,
          tokens_in: outcome.usage?.tokensIn,
          tokens_out: outcome.usage?.tokensOut,
          first_token_ms: outcome.firstByteMs,
          total_ms: outcome.totalMs,
        },
        'request relayed',
      )
    case 'cancelled':
      if (outcome.orphanedMs === undefined) return
      return log.warn(
        { ...facts(), orphaned_ms: outcome.orphanedMs },
        'engine worked for a client that had left',
      )
    case 'unreachable':
      return log.warn({ ...facts(), last_error: outcome.error }, 'engine gave no answer')
    case 'silent':
    case 'too_large':
    case 'broken':
      return log.warn({ ...facts(), outcome: outcome.kind }, 'request came to no good end')
  }
}
