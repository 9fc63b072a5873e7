import type { Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { RequestHandler } from 'express'
import type { GatewayMetrics } from '../gateway-metrics.ts'
import { contextOf } from './request-context.ts'

/** nginx's code for a client that left before its answer was complete. */
const CLIENT_CLOSED = 499

export interface ObserveDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: GatewayMetrics
}

/** Counts and logs every request once, when its response is over. */
export const observe =
  ({ clock, log, metrics }: ObserveDeps): RequestHandler =>
  (req, res, next) => {
    metrics.onRequest()
    const { method } = req
    res.once('close', () => {
      const { route, arrivedAtMs, correlationId, access, facts } = contextOf(res)
      const code = res.writableFinished ? res.statusCode : CLIENT_CLOSED
      const durationMs = Math.round(clock.now() - arrivedAtMs)
      metrics.onResponse(route, code, durationMs)
      const who = access?.keyId ? { caller: `key:${access.keyId}`, tenant: access.tenant } : {}
      const line = { correlationId, method, route, code, durationMs, ...who, ...facts }
      if (route.startsWith('/v1/')) log.info(line, 'request')
      else log.debug(line, 'request')
    })
    next()
  }
