import { FreshnessSchema, type FleetHost } from '@berth/contract'
import type { Request, RequestHandler, Response } from 'express'
import type { Fleet } from '../fleet-client.ts'
import { deviceJson, poolHealthJson, poolJson } from './pool-json.ts'
import { contextOf } from './request-context.ts'
import { word } from './word.ts'

/** `GET /v1/pools` */
export const listPools =
  (fleet: Fleet): RequestHandler =>
  async (_req, res) => {
    const pools = await fleet.listPools(contextOf(res).correlationId)
    res.json({ object: 'list', data: pools.map(poolJson) })
  }

/** `GET /v1/pools/{id}` */
export const getPool =
  (fleet: Fleet): RequestHandler =>
  async (req, res) =>
    void res.json(poolJson(await readPool(fleet, req, res)))

/** `GET /v1/pools/{id}/health` */
export const getPoolHealth =
  (fleet: Fleet): RequestHandler =>
  async (req, res) =>
    void res.json(poolHealthJson(await readPool(fleet, req, res)))

/** `GET /v1/hosts` */
export const listHosts =
  (fleet: Fleet): RequestHandler =>
  async (_req, res) => {
    const hosts = await fleet.listHosts(contextOf(res).correlationId)
    res.json({ object: 'list', data: hosts.map(hostJson) })
  }

const readPool = (fleet: Fleet, req: Request, res: Response) =>
  fleet.getPool(String(req.params['id']), contextOf(res).correlationId)

const hostJson = (host: FleetHost) => ({
  id: host.hostId,
  object: 'host',
  epoch: Number(host.epoch),
  revision: Number(host.revision),
  agent_version: host.agentVersion,
  grpc_address: host.grpcAddress,
  ingress_address: host.ingressAddress,
  devices: host.devices.map(deviceJson),
  pool_ids: host.poolIds,
  last_heartbeat_ms: host.lastHeartbeatMs,
  freshness: word(FreshnessSchema, host.freshness),
  draining: host.isDraining,
  pools_file_problems: host.poolsFileProblems,
})
