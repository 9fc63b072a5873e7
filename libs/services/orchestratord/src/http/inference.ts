import { JobClass } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { RequestHandler, Response } from 'express'
import { dispatch, type DispatchDeps, type DispatchRequest } from '../dispatch.ts'
import type { Fleet } from '../fleet-client.ts'
import type { GatewayMetrics } from '../gateway-metrics.ts'
import { ANYONE, type AccessDeps } from './access.ts'
import { createHttpCaller, type HttpCaller } from './http-caller.ts'
import type { Body, BodyReader } from './read-body.ts'
import { readHeaders, type HeaderHints } from './read-headers.ts'
import { createJobReader } from './read-job.ts'
import { contextOf } from './request-context.ts'
import { servedModels } from './served-models.ts'
import { createTimeLimit } from './time-limit.ts'
import { upstreamHeaders } from './upstream-headers.ts'

/** A batch request waits until its deadline, by default this long. Source: core, admission. */
const BATCH_WAIT_MS = 3_600_000

export interface InferenceDeps extends DispatchDeps, AccessDeps {
  readonly bodies: BodyReader
  readonly fleet: Fleet
  readonly metrics: GatewayMetrics
  readonly maxWaitMs: number
  readonly slowReaderMs: number
  /** Requests in flight, so that a stop can end them. */
  readonly callers: Set<HttpCaller>
}

/** One relayed route: read what is needed, get a slot, pass the bytes on. */
export const inference = (deps: InferenceDeps): RequestHandler => {
  const readJob = createJobReader(deps)
  return async (req, res) => {
    const hints = readHeaders(req.headers)
    using body = await deps.bodies.read(req)
    const context = contextOf(res)
    const { correlationId, arrivedAtMs, route } = context
    const job = readJob(body.bytes, hints, context)
    const request: DispatchRequest = {
      job,
      maxWaitMs: hints.maxWaitMs ?? defaultWaitMs(deps, hints),
      path: upstreamPath(route, req.originalUrl),
      headers: upstreamHeaders(req.headers, correlationId),
      lacksSeed: job.seed === undefined && GENERATES.has(route),
      get body() {
        return body.bytes
      },
      arrivedAtMs,
    }
    const isStream = job.stream === true
    using limit = createTimeLimit(deps.clock, hints.deadlineMs, arrivedAtMs)
    using caller = createHttpCaller({ ...deps, res, isStream })
    deps.callers.add(caller)
    try {
      await run(deps, request, limit.guard(releaseOnAnswer(caller, body)), res)
    } finally {
      deps.callers.delete(caller)
    }
  }
}

const defaultWaitMs = (deps: InferenceDeps, hints: HeaderHints) =>
  hints.class === JobClass.BATCH ? BATCH_WAIT_MS : deps.maxWaitMs

/** Routes whose engines draw from a seed. */
const GENERATES: ReadonlySet<string> = new Set(['/v1/chat/completions', '/v1/completions'])

/** The route as we spell it: `/V1/completions/` and `http://host/v1/completions` match as well. */
const upstreamPath = (route: string, target: string): string => {
  const query = target.indexOf('?')
  return query < 0 ? route : route + target.slice(query)
}

const run = async (
  deps: InferenceDeps,
  request: DispatchRequest,
  caller: HttpCaller,
  res: Response,
) => {
  const context = contextOf(res)
  const listing = listServed(deps, request, caller, res)
  const summary = await dispatch(deps, request, listing.caller)
  await listing.done()
  if (summary.firstByteMs !== undefined) deps.metrics.onFirstByte(summary.firstByteMs)
  context.facts = { model: request.job.modelId, ...summary }
}

/** An answer that is open is never tried again: the bytes of the request are not needed. */
const releaseOnAnswer = (caller: HttpCaller, body: Body): HttpCaller => ({
  ...caller,
  answer: (head) => {
    body[Symbol.dispose]()
    caller.answer(head)
  },
})

/** For a model nobody serves, the answer says what is served; core alone knows. */
const listServed = (
  deps: InferenceDeps,
  request: DispatchRequest,
  caller: HttpCaller,
  res: Response,
) => {
  const { correlationId, access = ANYONE } = contextOf(res)
  let pending: Promise<void> | undefined
  const fail = (error: BerthError) => {
    if (error.reason !== 'MODEL_NOT_FOUND') return caller.fail(error)
    pending = servedModels(deps.fleet, access, correlationId).then((served) =>
      caller.fail(modelNotFound(request.job.modelId ?? '', served)),
    )
  }
  return { caller: { ...caller, fail }, done: async () => pending }
}

const modelNotFound = (modelId: string, served: string) =>
  new BerthError('MODEL_NOT_FOUND', `The model ${modelId} is not served here. ${served}`, {
    facts: { param: 'model' },
  })
