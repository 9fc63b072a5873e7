import { randomUuid, type Rng } from '@berth/kernel'
import type { Request, RequestHandler, Response } from 'express'
import type { ModelFilesAccess } from '../model-files-client.ts'
import type { BodyReader } from './read-body.ts'
import { fitJson, hostFilesJson } from './model-files-json.ts'
import { readIdempotencyKey, sendOperation } from './operation-answer.ts'
import { commandSchemas, readCommandBody, readRefQuery } from './read-command-body.ts'
import { contextOf } from './request-context.ts'

export interface ModelFileDeps {
  readonly modelFiles: ModelFilesAccess
  readonly bodies: BodyReader
  readonly rng: Rng
}

/** The handlers about model files of hosts, and about what a model would take. */
export const modelFileHandlers = (deps: ModelFileDeps) => {
  const { modelFiles, bodies, rng } = deps
  const keyOf = (req: Request) => readIdempotencyKey(req) ?? randomUuid(rng)
  return {
    /** `GET /v1/model-files?host=`: of one host, or of all. */
    ofHosts: (async (req, res) => {
      const { host } = req.query
      await sendFiles(deps, typeof host === 'string' ? host : '', res)
    }) satisfies RequestHandler,
    /** `GET /v1/hosts/{id}/models` */
    ofHost: ((req, res) => sendFiles(deps, hostIdOf(req), res)) satisfies RequestHandler,
    /** `POST /v1/hosts/{id}/models/pull`: 202 with the operation. */
    pull: (async (req, res) => {
      const idempotencyKey = keyOf(req)
      using body = await bodies.read(req)
      const { model_ref, digest = '' } = readCommandBody(commandSchemas.pull, body.bytes)
      const command = { hostId: hostIdOf(req), idempotencyKey, modelRef: model_ref, digest }
      sendOperation(res, await modelFiles.pull(command, contextOf(res).correlationId))
    }) satisfies RequestHandler,
    /** `DELETE /v1/hosts/{id}/models?ref=`: 200 with what it freed. */
    remove: (async (req, res) => {
      const modelRef = readRefQuery(req.query)
      const idempotencyKey = keyOf(req)
      const hostId = hostIdOf(req)
      const { correlationId } = contextOf(res)
      const freed = await modelFiles.remove({ hostId, idempotencyKey, modelRef }, correlationId)
      res.json({
        ...{ object: 'model_files.removed', host_id: freed.hostId, model_ref: modelRef },
        freed_bytes: Number(freed.freedBytes),
      })
    }) satisfies RequestHandler,
    /** `POST /v1/models/fit`: what a model would take in one pool, or in each. Changes nothing. */
    fit: (async (req, res) => {
      using body = await bodies.read(req)
      const asked = readCommandBody(commandSchemas.fit, body.bytes)
      const request = { modelRef: asked.model_ref ?? '', poolId: asked.pool_id ?? '' }
      const { fits, silentHosts } = await modelFiles.fit(request, contextOf(res).correlationId)
      res.json({ object: 'list', data: fits.map(fitJson), silent_hosts: silentHosts })
    }) satisfies RequestHandler,
  }
}

const sendFiles = async ({ modelFiles }: ModelFileDeps, hostId: string, res: Response) => {
  const { hosts, silentHosts } = await modelFiles.list(hostId, contextOf(res).correlationId)
  res.json({ object: 'list', data: hosts.map(hostFilesJson), silent_hosts: silentHosts })
}

const hostIdOf = (req: Request) => String(req.params['id'])
