import { randomUUID } from 'node:crypto'
import { isCorrelationId, randomUuid, type Rng } from '@berth/kernel'
import type { Metadata } from '@grpc/grpc-js'

/** The metadata key, and HTTP header, that follows one request through every service. */
export const CORRELATION_KEY = 'x-correlation-id'

/** Makes correlation ids: from `rng` where a run must be repeatable, else from the system. */
export const correlationIdMaker = (rng?: Rng): (() => string) =>
  rng ? () => randomUuid(rng) : () => randomUUID()

/** The caller's correlation id, or a new one when it sent none that may be echoed. */
export const readCorrelationId = (metadata: Metadata, mint: () => string): string => {
  const sent = metadata.get(CORRELATION_KEY)[0]
  return typeof sent === 'string' && isCorrelationId(sent) ? sent : mint()
}
