import {
  isCorrelationId,
  randomUuid,
  type Clock,
  type CorrelationId,
  type Rng,
} from '@berth/kernel'
import type { RequestHandler } from 'express'
import { setContext } from './request-context.ts'

/** First of all: a correlation id for the response, the client's own when it is well-formed. */
export const correlate =
  (clock: Clock, rng: Rng): RequestHandler =>
  (req, res, next) => {
    const given = req.headers['x-correlation-id']
    const correlationId =
      typeof given === 'string' && isCorrelationId(given) ? given : mintCorrelationId(rng)
    res.setHeader('X-Correlation-Id', correlationId)
    setContext(res, {
      correlationId,
      arrivedAtMs: clock.now(),
      route: 'unmatched',
      access: undefined,
      facts: {},
    })
    next()
  }

/** A fresh correlation id. */
export const mintCorrelationId = (rng: Rng): CorrelationId => randomUuid(rng) as CorrelationId
