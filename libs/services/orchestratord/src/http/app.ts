import { BerthError, type Rng } from '@berth/kernel'
import type { Metrics } from '@berth/runtime'
import express, { type Express, type RequestHandler } from 'express'
import type { Placement } from '../placement-client.ts'
import type { Sessions } from '../sessions-client.ts'
import type { Need } from './access.ts'
import { authorize } from './authorize.ts'
import { catalogHandlers, type CatalogDeps } from './catalog.ts'
import { correlate } from './correlate.ts'
import { inference, type InferenceDeps } from './inference.ts'
import { modelFileHandlers, type ModelFileDeps } from './model-files.ts'
import { getModel, listModels } from './models.ts'
import { observe } from './observe.ts'
import { getOperation, listOperations } from './operations.ts'
import { explainPlacement, getDecision } from './placement.ts'
import { poolCommandHandlers, type PoolCommandDeps } from './pool-commands.ts'
import { getPoolLogs } from './pool-logs.ts'
import { getPool, listHosts, listPools } from './pools.ts'
import { contextOf } from './request-context.ts'
import { errorHandler } from './send-error.ts'
import { endSession, getSession } from './sessions.ts'
import { healthz, metricsText, readyz, version } from './service-routes.ts'

export interface AppDeps extends InferenceDeps {
  readonly rng: Rng
  readonly registry: Metrics
  readonly sessions: Sessions
  readonly placement: Placement
  readonly pools: PoolCommandDeps['pools']
  readonly modelFiles: ModelFileDeps['modelFiles']
  readonly catalog: CatalogDeps['catalog']
  /** Aborted when this gateway stops. */
  readonly stopping: AbortSignal
  readonly metricsNeed: Need
  isDraining(): boolean
}

type Method = 'get' | 'post' | 'delete'
/** One line of the interface: what a route is, and what it asks of its caller. */
type Route = readonly [Method, string, Need, RequestHandler]

/** The whole HTTP interface: what runs for a request, in this order. */
export const createApp = (deps: AppDeps): Express => {
  const { clock, rng, log, fleet } = deps
  const relayed = inference(deps)
  const { pools } = deps
  const command = poolCommandHandlers(deps)
  const files = modelFileHandlers(deps)
  const catalog = catalogHandlers(deps)
  const routes: readonly Route[] = [
    ['post', '/v1/chat/completions', 'inference', relayed],
    ['post', '/v1/completions', 'inference', relayed],
    ['post', '/v1/embeddings', 'inference', relayed],
    ['get', '/v1/models', 'inference', listModels(fleet)],
    ['get', '/v1/models/*id', 'inference', getModel(fleet)],
    ['get', '/v1/sessions/:id', 'inference', getSession(deps.sessions)],
    ['delete', '/v1/sessions/:id', 'inference', endSession(deps.sessions)],
    ['get', '/v1/pools', 'operator', listPools(fleet)],
    ['get', '/v1/pools/:id', 'operator', getPool(fleet)],
    ['get', '/v1/pools/:id/health', 'operator', getPool(fleet)],
    ['get', '/v1/pools/:id/logs', 'operator', getPoolLogs(deps)],
    ['post', '/v1/pools/:id/start', 'operator', command.start],
    ['post', '/v1/pools/:id/stop', 'operator', command.stop],
    ['post', '/v1/pools/:id/restart', 'operator', command.restart],
    ['post', '/v1/pools/:id/reset-restarts', 'operator', command.resetRestarts],
    ['post', '/v1/pools/:id/drain', 'operator', command.drain],
    ['post', '/v1/pools/:id/undrain', 'operator', command.undrain],
    ['post', '/v1/pools/:id/reload', 'operator', command.reload],
    ['post', '/v1/pools/:id/bench', 'operator', command.bench],
    ['post', '/v1/pools/:id/sleep', 'operator', command.sleep],
    ['post', '/v1/pools/:id/wake', 'operator', command.wake],
    ['post', '/v1/pools/:id/models', 'operator', command.loadModel],
    ['delete', '/v1/pools/:id/models/*model', 'operator', command.unloadModel],
    ['get', '/v1/operations', 'operator', listOperations(pools)],
    ['get', '/v1/operations/:id', 'operator', getOperation(pools)],
    ['get', '/v1/hosts', 'operator', listHosts(fleet)],
    ['get', '/v1/hosts/:id/models', 'operator', files.ofHost],
    ['delete', '/v1/hosts/:id/models', 'operator', files.remove],
    ['post', '/v1/hosts/:id/models/pull', 'operator', files.pull],
    ['get', '/v1/model-files', 'operator', files.ofHosts],
    ['post', '/v1/models/fit', 'operator', files.fit],
    ['get', '/v1/catalog/models', 'operator', catalog.list],
    ['post', '/v1/catalog/models', 'operator', catalog.put],
    ['post', '/v1/catalog/models/*id/verify', 'operator', catalog.verify],
    ['post', '/v1/catalog/models/*id/state', 'operator', catalog.setState],
    ['get', '/v1/catalog/models/*id', 'operator', catalog.get],
    ['delete', '/v1/catalog/models/*id', 'operator', catalog.remove],
    ['post', '/v1/placement/explain', 'operator', explainPlacement(deps)],
    ['get', '/v1/placement/decisions/:id', 'operator', getDecision(deps)],
    ['get', '/v1/version', 'any', version],
    ['get', '/healthz', 'open', healthz],
    ['get', '/readyz', 'open', readyz(deps)],
    ['get', '/metrics', deps.metricsNeed, metricsText(deps.registry)],
  ]

  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.use(correlate(clock, rng))
  app.use(observe(deps))
  app.use(closeWhenDraining(deps))
  app.use(requireHost)
  for (const [method, path, need, handler] of routes)
    app[method](path, named(path), authorize(deps, need), handler)
  for (const [path, methods] of methodsByPath(routes))
    app.all(path, named(path), wrongMethod(methods))
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

const methodsByPath = (routes: readonly Route[]): ReadonlyMap<string, readonly Method[]> => {
  const byPath = new Map<string, Method[]>()
  for (const [method, path] of routes) byPath.set(path, [...(byPath.get(path) ?? []), method])
  return byPath
}

const wrongMethod = (methods: readonly Method[]): RequestHandler => {
  const allow = methods.map((method) => ALLOW[method]).join(', ')
  return (req, res) => {
    res.setHeader('Allow', allow)
    throw new BerthError(
      'METHOD_NOT_ALLOWED',
      `${req.method} is not allowed for ${req.path}; use ${allow}.`,
    )
  }
}

const ALLOW: Readonly<Record<Method, string>> = { get: 'GET, HEAD', post: 'POST', delete: 'DELETE' }

const unknownRoute: RequestHandler = (req) => {
  throw new BerthError(
    'UNSUPPORTED_ROUTE',
    `There is no route ${req.method} ${req.path.slice(0, 200)}.`,
  )
}
