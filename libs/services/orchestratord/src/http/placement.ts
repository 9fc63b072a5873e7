import type { RequestHandler } from 'express'
import type { Placement } from '../placement-client.ts'
import { ANYONE } from './access.ts'
import { decisionJson, explanationJson } from './explanation-json.ts'
import type { BodyReader } from './read-body.ts'
import { readExplainBody } from './read-explain-body.ts'
import { contextOf } from './request-context.ts'

export interface PlacementRouteDeps {
  readonly placement: Placement
  readonly bodies: BodyReader
}

/** `POST /v1/placement/explain`: where a job would go now and why. Changes nothing. */
export const explainPlacement =
  ({ placement, bodies }: PlacementRouteDeps): RequestHandler =>
  async (req, res) => {
    const { correlationId, access = ANYONE } = contextOf(res)
    using body = await bodies.read(req)
    const job = readExplainBody(body.bytes)
    const { tenant, keyId } = access
    const said = await placement.explain({ ...job, tenant, keyId, correlationId }, correlationId)
    res.json(explanationJson(said))
  }

/** `GET /v1/placement/decisions/{id}`: what was decided, by job id or correlation id. */
export const getDecision =
  ({ placement }: PlacementRouteDeps): RequestHandler =>
  async (req, res) => {
    const { correlationId } = contextOf(res)
    res.json(decisionJson(await placement.decision(String(req.params['id']), correlationId)))
  }
