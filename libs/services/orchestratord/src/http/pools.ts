import type { Request, RequestHandler, Response } from 'express'
import type { Fleet } from '../fleet-client.ts'
import { hostJson } from './host-json.ts'
import { poolJson } from './pool-json.ts'
import { contextOf } from './request-context.ts'

/** `GET /v1/pools` */
export const listPools =
  (fleet: Fleet): RequestHandler =>
  async (_req, res) => {
    const pools = await fleet.listPools(contextOf(res).correlationId)
    res.json({ object: 'list', data: pools.map(poolJson) })
  }

/** `GET /v1/pools/{id}` and `/health`: all that is known of a pool. */
export const getPool =
  (fleet: Fleet): RequestHandler =>
  async (req, res) =>
    void res.json(poolJson(await readPool(fleet, req, res)))

/** `GET /v1/hosts` */
export const listHosts =
  (fleet: Fleet): RequestHandler =>
  async (_req, res) => {
    const hosts = await fleet.listHosts(contextOf(res).correlationId)
    res.json({ object: 'list', data: hosts.map(hostJson) })
  }

const readPool = (fleet: Fleet, req: Request, res: Response) =>
  fleet.getPool(String(req.params['id']), contextOf(res).correlationId)
