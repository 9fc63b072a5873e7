import type { RequestHandler } from 'express'
import type { PoolCommands } from '../pool-commands-client.ts'
import { poolOperationJson } from './operation-json.ts'
import { contextOf } from './request-context.ts'

/** `GET /v1/operations?pool=`: what the agents remember, the newest first. */
export const listOperations =
  (pools: PoolCommands): RequestHandler =>
  async (req, res) => {
    const { pool } = req.query
    const { correlationId } = contextOf(res)
    const answer = await pools.operations(typeof pool === 'string' ? pool : '', correlationId)
    res.json({
      object: 'list',
      data: answer.operations.map(poolOperationJson),
      // Hosts that did not answer: what they remember is missing.
      silent_hosts: answer.silentHosts,
    })
  }

/** `GET /v1/operations/{id}` */
export const getOperation =
  (pools: PoolCommands): RequestHandler =>
  async (req, res) => {
    const { correlationId } = contextOf(res)
    res.json(poolOperationJson(await pools.operation(String(req.params['id']), correlationId)))
  }
