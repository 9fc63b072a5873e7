import { JobClass } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { RequestHandler, Response } from 'express'
import { dispatch, type DispatchDeps, type DispatchRequest } from '../dispatch.ts'
import type { Fleet } from '../fleet-client.ts'
import type { GatewayMetrics } from '../gateway-metrics.ts'
import { createHttpCaller, type HttpCaller } from './http-caller.ts'
import type { Body, BodyReader } from './read-body.ts'
import { readHeaders } from './read-headers.ts'
import { readRequest } from './read-request.ts'
import { contextOf } from './request-context.ts'
import { servedModels } from './served-models.ts'
import { createTimeLimit } from './time-limit.ts'
import { upstreamHeaders } from './upstream-headers.ts'

/** A batch request waits until its deadline, by default this long. Source: core, admission. */
const BATCH_WAIT_MS = 3_600_000

export interface InferenceDeps extends DispatchDeps {
  readonly bodies: BodyReader
  readonly fleet: Fleet
  readonly metrics: GatewayMetrics
  readonly maxWaitMs: number
  readonly slowReaderMs: number
  /** Requests in flight, so that a stop can end them. */
  readonly callers: Set<HttpCaller>
}

/** One relayed route: read what is needed, get a slot, pass the bytes on. */
export const inference =
  (deps: InferenceDeps): RequestHandler =>
  async (req, res) => {
    const hints = readHeaders(req.headers)
    using body = await deps.bodies.read(req)
    const facts = readRequest(body.bytes)
    const { correlationId, arrivedAtMs, route } = contextOf(res)
    const isInteractive = hints.class !== JobClass.BATCH
    const maxWaitMs = hints.maxWaitMs ?? (isInteractive ? deps.maxWaitMs : BATCH_WAIT_MS)
    const request: DispatchRequest = {
      job: {
        modelId: facts.modelId,
        route,
        class: hints.class,
        maxTokens: facts.maxTokens,
        promptTokens: facts.promptTokens,
        deadlineMs: hints.deadlineMs,
        stream: facts.isStream,
        sessionId: hints.sessionId,
        kvHint: hints.kvHint,
        correlationId,
      },
      maxWaitMs,
      path: upstreamPath(route, req.originalUrl),
      headers: upstreamHeaders(req.headers, correlationId),
      get body() {
        return body.bytes
      },
      arrivedAtMs,
    }
    const { isStream } = facts
    using limit = createTimeLimit(deps.clock, hints.deadlineMs, arrivedAtMs)
    using caller = createHttpCaller({ ...deps, res, isStream })
    deps.callers.add(caller)
    try {
      await run(deps, request, limit.guard(releaseOnAnswer(caller, body)), res)
    } finally {
      deps.callers.delete(caller)
    }
  }

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
  const listing = listServed(deps, request, caller)
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
const listServed = (deps: InferenceDeps, request: DispatchRequest, caller: HttpCaller) => {
  let pending: Promise<void> | undefined
  const fail = (error: BerthError) => {
    if (error.reason !== 'MODEL_NOT_FOUND') return caller.fail(error)
    pending = servedModels(deps.fleet, request.job.correlationId ?? '').then((served) =>
      caller.fail(modelNotFound(request.job.modelId ?? '', served)),
    )
  }
  return { caller: { ...caller, fail }, done: async () => pending }
}

const modelNotFound = (modelId: string, served: string) =>
  new BerthError('MODEL_NOT_FOUND', `The model ${modelId} is not served here. ${served}`, {
    facts: { param: 'model' },
  })
