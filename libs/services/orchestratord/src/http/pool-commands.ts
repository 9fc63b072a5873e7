import { randomUuid, type Rng } from '@berth/kernel'
import type { Request, RequestHandler, Response } from 'express'
import type { z } from 'zod'
import type { PoolCommand, PoolCommands } from '../pool-commands-client.ts'
import { invalidParam } from './error-envelope.ts'
import { poolOperationJson } from './operation-json.ts'
import type { BodyReader } from './read-body.ts'
import { commandSchemas, DRAIN_DEADLINE, readCommandBody } from './read-command-body.ts'
import { contextOf } from './request-context.ts'

export interface PoolCommandDeps {
  readonly pools: PoolCommands
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
  }
}

type Command = NonNullable<PoolCommand['command']>

const handler =
  <T extends z.ZodType>(
    { pools, bodies, rng }: PoolCommandDeps,
    schema: T,
    toCommand: (body: z.infer<T>) => Command,
  ): RequestHandler =>
  async (req, res) => {
    const idempotencyKey = readIdempotencyKey(req) ?? randomUuid(rng)
    using body = await bodies.read(req)
    const command = toCommand(readCommandBody(schema, body.bytes))
    const poolId = String(req.params['id'])
    const { correlationId } = contextOf(res)
    const done = await pools.command({ poolId, idempotencyKey, command }, correlationId)
    sendOperation(res, poolOperationJson(done))
  }

const sendOperation = (res: Response, json: ReturnType<typeof poolOperationJson>) => {
  contextOf(res).facts = { ...contextOf(res).facts, operation_id: json.operation_id }
  res.status(202).setHeader('Location', `/v1/operations/${json.operation_id}`)
  res.json(json)
}

const KEY = /^[\x21-\x7e]{1,128}$/

/** Every command is sent with a key, so that a core that is asked twice does it once. */
const readIdempotencyKey = (req: Request): string | undefined => {
  const key = req.get('Idempotency-Key')
  if (key === undefined) return undefined
  if (KEY.test(key)) return key
  throw invalidParam(
    'Idempotency-Key',
    'Idempotency-Key must be 1 to 128 printable characters without spaces.',
  )
}
