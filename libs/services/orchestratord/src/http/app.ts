import { BerthError, type Rng } from '@berth/kernel'
import type { Metrics } from '@berth/runtime'
import express, { type Express, type RequestHandler } from 'express'
import { correlate } from './correlate.ts'
import { inference, type InferenceDeps } from './inference.ts'
import { getModel, listModels } from './models.ts'
import { observe } from './observe.ts'
import { getPool, getPoolHealth, listHosts, listPools } from './pools.ts'
import { contextOf } from './request-context.ts'
import { errorHandler } from './send-error.ts'
import { healthz, metricsText, readyz, version } from './service-routes.ts'

export interface AppDeps extends InferenceDeps {
  readonly rng: Rng
  readonly registry: Metrics
  isDraining(): boolean
}

type Method = 'get' | 'post'

/** The whole HTTP interface: what runs for a request, in this order. */
export const createApp = (deps: AppDeps): Express => {
  const { clock, rng, log, fleet } = deps
  const relayed = inference(deps)
  const routes: readonly (readonly [Method, string, RequestHandler])[] = [
    ['post', '/v1/chat/completions', relayed],
    ['post', '/v1/completions', relayed],
    ['post', '/v1/embeddings', relayed],
    ['get', '/v1/models', listModels(fleet)],
    ['get', '/v1/models/*id', getModel(fleet)],
    ['get', '/v1/pools', listPools(fleet)],
    ['get', '/v1/pools/:id', getPool(fleet)],
    ['get', '/v1/pools/:id/health', getPoolHealth(fleet)],
    ['get', '/v1/hosts', listHosts(fleet)],
    ['get', '/v1/version', version],
    ['get', '/healthz', healthz],
    ['get', '/readyz', readyz(deps)],
    ['get', '/metrics', metricsText(deps.registry)],
  ]

  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.use(correlate(clock, rng))
  app.use(observe(deps))
  app.use(closeWhenDraining(deps))
  app.use(requireHost)
  for (const [method, path, handler] of routes) {
    app[method](path, named(path), handler)
    app.all(path, named(path), wrongMethod(method))
  }
  app.use(unknownRoute)
  app.use(errorHandler(clock, log))
  return app
}

const named =
  (path: string): RequestHandler =>
  (_req, res, next) => {
    contextOf(res).route = path
    next()
  }

const closeWhenDraining =
  ({ isDraining }: AppDeps): RequestHandler =>
  (_req, res, next) => {
    if (isDraining()) res.setHeader('Connection', 'close')
    next()
  }

/** RFC 9112, 3.2. */
const requireHost: RequestHandler = (req, _res, next) => {
  if (req.httpVersion === '1.1' && req.headers.host === undefined)
    throw new BerthError('INVALID_PARAMS', 'The request has no Host header.', {
      facts: { param: 'Host' },
    })
  next()
}

const wrongMethod = (method: Method): RequestHandler => {
  const allow = method === 'get' ? 'GET, HEAD' : 'POST'
  return (req, res) => {
    res.setHeader('Allow', allow)
    throw new BerthError(
      'METHOD_NOT_ALLOWED',
      `${req.method} is not allowed for ${req.path}; use ${allow}.`,
    )
  }
}

const unknownRoute: RequestHandler = (req) => {
  throw new BerthError(
    'UNSUPPORTED_ROUTE',
    `There is no route ${req.method} ${req.path.slice(0, 200)}.`,
  )
}
