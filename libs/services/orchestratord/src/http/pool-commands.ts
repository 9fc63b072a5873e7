import { randomUuid, type Rng } from '@berth/kernel'
import type { Request, RequestHandler } from 'express'
import type { z } from 'zod'
import type { ModelFilesAccess } from '../model-files-client.ts'
import type { PoolCommand, PoolCommands } from '../pool-commands-client.ts'
import { fitJson } from './model-files-json.ts'
import { readIdempotencyKey, sendOperation } from './operation-answer.ts'
import type { BodyReader } from './read-body.ts'
import {
  commandSchemas,
  DRAIN_DEADLINE,
  readCommandBody,
  readUnloadQuery,
} from './read-command-body.ts'
import { contextOf } from './request-context.ts'

export interface PoolCommandDeps {
  readonly pools: PoolCommands
  readonly modelFiles: Pick<ModelFilesAccess, 'fit'>
  readonly bodies: BodyReader
  readonly rng: Rng
}

/** The handlers of `POST /v1/pools/{id}/...`: 202 with the operation that carries it out. */
export const poolCommandHandlers = (deps: PoolCommandDeps) => {
  const { bench, empty, ending, drain, reload } = commandSchemas
  return {
    start: handler(deps, empty, () => ({ case: 'start', value: {} })),
    stop: handler(deps, ending, ({ deadline_ms = 0 }) => ({
      case: 'stop',
      value: { deadlineMs: deadline_ms },
    })),
    restart: handler(deps, ending, ({ deadline_ms = 0 }) => ({
      case: 'restart',
      value: { deadlineMs: deadline_ms },
    })),
    resetRestarts: handler(deps, empty, () => ({ case: 'resetRestarts', value: {} })),
    drain: handler(deps, drain, ({ deadline_ms, on_deadline }) => ({
      case: 'drain',
      value: { deadlineMs: deadline_ms, onDeadline: DRAIN_DEADLINE[on_deadline] },
    })),
    undrain: handler(deps, empty, () => ({ case: 'undrain', value: {} })),
    bench: handler(deps, bench, ({ seconds = 0 }) => ({ case: 'bench', value: { seconds } })),
    reload: handler(deps, reload, ({ new_model_ref = '', deadline_ms = 0, on_deadline }) => ({
      case: 'reload',
      value: {
        newModelRef: new_model_ref,
        deadlineMs: deadline_ms,
        onDeadline: DRAIN_DEADLINE[on_deadline],
      },
    })),
    sleep: handler(deps, ending, ({ deadline_ms = 0 }) => ({
      case: 'sleep',
      value: { deadlineMs: deadline_ms },
    })),
    wake: handler(deps, empty, () => ({ case: 'wake', value: {} })),
    loadModel: loadModel(deps),
    unloadModel: unloadModel(deps),
  }
}

/**
 * `POST /v1/pools/{id}/models`: 202 with the operation. With `dry_run` 200 with what the model
 * would take there and what would have to leave for it, and nothing is changed.
 */
const loadModel =
  ({ pools, modelFiles, bodies, rng }: PoolCommandDeps): RequestHandler =>
  async (req, res) => {
    const idempotencyKey = readIdempotencyKey(req) ?? randomUuid(rng)
    using body = await bodies.read(req)
    const asked = readCommandBody(commandSchemas.load, body.bytes)
    const poolId = String(req.params['id'])
    const { correlationId } = contextOf(res)
    const { model_ref: modelRef, model_id: modelId = '', pin: isPinned } = asked
    if (asked.dry_run) {
      const { fits } = await modelFiles.fit({ modelRef, poolId }, correlationId)
      res.json(fits.map(fitJson)[0])
      return
    }
    const { ttl_s: ttlS = 0, deadline_ms: deadlineMs = 0 } = asked
    const command: Command = {
      case: 'loadModel',
      value: { modelRef, modelId, isPinned, ttlS, deadlineMs },
    }
    sendOperation(res, await pools.command({ poolId, idempotencyKey, command }, correlationId))
  }

/** `DELETE /v1/pools/{id}/models/{model}?deadline_ms=&force=`; model ids may hold slashes. */
const unloadModel =
  ({ pools, rng }: PoolCommandDeps): RequestHandler =>
  async (req, res) => {
    const idempotencyKey = readIdempotencyKey(req) ?? randomUuid(rng)
    const { deadline_ms = 0, force } = readUnloadQuery(req.query)
    const poolId = String(req.params['id'])
    const modelId = idOf(req.params['model'])
    const command: Command = {
      case: 'unloadModel',
      value: { modelId, deadlineMs: deadline_ms, isForced: force },
    }
    const { correlationId } = contextOf(res)
    sendOperation(res, await pools.command({ poolId, idempotencyKey, command }, correlationId))
  }

/** What a wildcard of a route matched, segment by segment. */
const idOf = (segments: Request['params'][string] = ''): string =>
  ([] as string[]).concat(segments).join('/')

type Command = NonNullable<PoolCommand['command']>

const handler =
  <T extends z.ZodType>(
    { pools, bodies, rng }: PoolCommandDeps,
    schema: T,
    toCommand: (body: z.infer<T>) => Command,
  ): RequestHandler =>
  async (req, res) => {
    // Every command is sent with a key, so that a core that is asked twice does it once.
    const idempotencyKey = readIdempotencyKey(req) ?? randomUuid(rng)
    using body = await bodies.read(req)
    const command = toCommand(readCommandBody(schema, body.bytes))
    const poolId = String(req.params['id'])
    const { correlationId } = contextOf(res)
    sendOperation(res, await pools.command({ poolId, idempotencyKey, command }, correlationId))
  }
