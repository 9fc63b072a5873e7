import { ResidencySchema, type FleetModel } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { RequestHandler } from 'express'
import type { Fleet } from '../fleet-client.ts'
import { ANYONE, mayUse } from './access.ts'
import { contextOf } from './request-context.ts'
import { servedModels } from './served-models.ts'
import { word } from './word.ts'

/** `GET /v1/models`: OpenAI's list, one entry per model id that the caller may use, with Berth's facts. */
export const listModels =
  (fleet: Fleet): RequestHandler =>
  async (_req, res) => {
    const { correlationId, access = ANYONE } = contextOf(res)
    const models = await fleet.listModels(correlationId)
    const known = models.filter(({ modelId }) => mayUse(access, modelId))
    res.json({ object: 'list', data: known.map(toJson) })
  }

/** `GET /v1/models/{id}`; ids may hold slashes, encoded or not. */
export const getModel =
  (fleet: Fleet): RequestHandler =>
  async (req, res) => {
    const modelId = ([] as string[]).concat(req.params['id'] ?? []).join('/')
    const { correlationId, access = ANYONE } = contextOf(res)
    const models = await fleet.listModels(correlationId)
    const model = models.find((candidate) => candidate.modelId === modelId)
    if (!model || !mayUse(access, modelId)) {
      const served = await servedModels(fleet, access, correlationId)
      throw new BerthError('MODEL_NOT_FOUND', `There is no model ${modelId}. ${served}`, {
        facts: { param: 'model' },
      })
    }
    res.json(toJson(model))
  }

const toJson = (model: FleetModel) => ({
  id: model.modelId,
  object: 'model',
  created: Math.floor(Number(model.firstSeenMs) / 1_000),
  owned_by: 'berth',
  berth: {
    residency: word(ResidencySchema, model.residency),
    pools: model.places.map((place) => ({
      pool_id: place.poolId,
      residency: word(ResidencySchema, place.residency),
      active_requests: place.activeRequests,
    })),
    context_length: model.contextLength || null,
    capabilities: { routes: model.routes },
    load_estimate_ms: null,
  },
})
