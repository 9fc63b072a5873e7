import type { PoolOperation } from '@berth/contract'
import type { Request, Response } from 'express'
import { invalidParam } from './error-envelope.ts'
import { poolOperationJson } from './operation-json.ts'
import { contextOf } from './request-context.ts'

/** 202 with the operation that carries a command out. */
export const sendOperation = (res: Response, operation: PoolOperation): void => {
  const json = poolOperationJson(operation)
  contextOf(res).facts = { ...contextOf(res).facts, operation_id: json.operation_id }
  res.status(202).setHeader('Location', `/v1/operations/${json.operation_id}`)
  res.json(json)
}

const KEY = /^[\x21-\x7e]{1,128}$/

/** The `Idempotency-Key` of the client, if it sent one. Throws `INVALID_PARAMS`. */
export const readIdempotencyKey = (req: Request): string | undefined => {
  const key = req.get('Idempotency-Key')
  if (key === undefined) return undefined
  if (KEY.test(key)) return key
  throw invalidParam(
    'Idempotency-Key',
    'Idempotency-Key must be 1 to 128 printable characters without spaces.',
  )
}
