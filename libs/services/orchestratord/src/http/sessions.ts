import type { Budget, GetSessionResponse } from '@berth/contract'
import type { Request, RequestHandler, Response } from 'express'
import type { Sessions, SessionName } from '../sessions-client.ts'
import { ANYONE } from './access.ts'
import { costOfMicros } from '../cost.ts'
import { checkSessionId } from './read-headers.ts'
import { contextOf } from './request-context.ts'

/** `GET /v1/sessions/{id}`: what is kept of a session of the caller's tenant. Never creates one. */
export const getSession =
  (sessions: Sessions): RequestHandler =>
  async (req, res) => {
    const { correlationId } = contextOf(res)
    res.json(toJson(await sessions.get(nameOf(req, res), correlationId)))
  }

/** `DELETE /v1/sessions/{id}`: 204 whether or not there was one. */
export const endSession =
  (sessions: Sessions): RequestHandler =>
  async (req, res) => {
    await sessions.end(nameOf(req, res), contextOf(res).correlationId)
    res.status(204).end()
  }

const nameOf = (req: Request, res: Response): SessionName => ({
  tenant: (contextOf(res).access ?? ANYONE).tenant,
  sessionId: checkSessionId(String(req.params['id']), 'id'),
})

const toJson = (session: GetSessionResponse) => ({
  id: session.sessionId,
  object: 'session',
  ttl_ms_remaining: session.ttlMsRemaining,
  turns: session.turns,
  turns_max: session.turnsMax,
  kv_warmth: session.kvWarmth,
  pool_id: session.poolId || null,
  budget: { limit: budgetJson(session.limit), remaining: budgetJson(session.remaining) },
})

/** `null`: not limited. */
const budgetJson = (budget: Budget | undefined) => ({
  tokens: budget?.tokens === undefined ? null : Number(budget.tokens),
  time_ms: budget?.timeMs === undefined ? null : Number(budget.timeMs),
  cost: budget?.costMicros === undefined ? null : costOfMicros(Number(budget.costMicros)),
})
