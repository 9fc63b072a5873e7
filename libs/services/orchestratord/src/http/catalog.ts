import { CatalogState, CatalogStateSchema, type CatalogModel } from '@berth/contract'
import type { Request, RequestHandler } from 'express'
import type { CatalogAccess } from '../catalog-client.ts'
import type { BodyReader } from './read-body.ts'
import { commandSchemas, readCommandBody } from './read-command-body.ts'
import { contextOf } from './request-context.ts'
import { word } from './word.ts'

export interface CatalogDeps {
  readonly catalog: CatalogAccess
  readonly bodies: BodyReader
}

/** The handlers of `/v1/catalog/models`; ids may hold slashes, encoded or not. */
export const catalogHandlers = ({ catalog, bodies }: CatalogDeps) => ({
  list: (async (_req, res) => {
    const models = await catalog.list('', contextOf(res).correlationId)
    res.json({ object: 'list', data: models.map(catalogJson) })
  }) satisfies RequestHandler,
  get: (async (req, res) => {
    const [model] = await catalog.list(idOf(req), contextOf(res).correlationId)
    res.json(catalogJson(model!))
  }) satisfies RequestHandler,
  put: (async (req, res) => {
    using body = await bodies.read(req)
    const asked = readCommandBody(commandSchemas.catalogModel, body.bytes)
    const { memory_bytes: memory } = asked
    const draft = {
      ...{ modelId: asked.model_id, modelRef: asked.model_ref, digest: asked.digest ?? '' },
      ...(memory === undefined ? {} : { memoryBytes: BigInt(memory) }),
    }
    res.status(201).json(catalogJson(await catalog.put(draft, contextOf(res).correlationId)))
  }) satisfies RequestHandler,
  remove: (async (req, res) => {
    await catalog.remove(idOf(req), contextOf(res).correlationId)
    res.status(204).end()
  }) satisfies RequestHandler,
  verify: (async (req, res) => {
    res.json(catalogJson(await catalog.verify(idOf(req), contextOf(res).correlationId)))
  }) satisfies RequestHandler,
  setState: (async (req, res) => {
    using body = await bodies.read(req)
    const { state } = readCommandBody(commandSchemas.catalogState, body.bytes)
    const { correlationId } = contextOf(res)
    res.json(catalogJson(await catalog.setState(idOf(req), STATES[state], correlationId)))
  }) satisfies RequestHandler,
})

const STATES = { Active: CatalogState.ACTIVE, Retired: CatalogState.RETIRED } as const

const catalogJson = (model: CatalogModel) => ({
  object: 'catalog_model',
  model_id: model.modelId,
  model_ref: model.modelRef,
  digest: model.digest || null,
  memory_bytes: model.memoryBytes === undefined ? null : Number(model.memoryBytes),
  state: capital(word(CatalogStateSchema, model.state)),
  created_at: time(model.createdAtMs),
  updated_at: time(model.updatedAtMs),
  verified:
    model.verifiedAtMs === undefined
      ? null
      : { at: time(model.verifiedAtMs), host_id: model.verifiedHostId },
})

const idOf = (req: Request) => ([] as string[]).concat(req.params['id'] ?? []).join('/')
const capital = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1)
const time = (ms: bigint) => new Date(Number(ms)).toISOString()
