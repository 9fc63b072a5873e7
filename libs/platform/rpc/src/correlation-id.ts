import { isCorrelationId, randomUuid, type Rng } from '@berth/kernel'
import type { Metadata } from '@grpc/grpc-js'

/** The metadata key, and HTTP header, that follows one request through every service. */
export const CORRELATION_KEY = 'x-correlation-id'

/** The caller's correlation id, or a new one when it sent none that may be echoed. */
export const readCorrelationId = (metadata: Metadata, rng: Rng): string => {
  const sent = metadata.get(CORRELATION_KEY)[0]
  return typeof sent === 'string' && isCorrelationId(sent) ? sent : randomUuid(rng)
}
