import { describe, expect, it } from '@jest/globals'
import { CatalogState } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { startGateway } from '../testing/gateway-rig.ts'
import { startScriptedCore, type CoreScript } from '../testing/scripted-core.ts'

const start = async (catalog: NonNullable<CoreScript['catalog']>) => {
  const core = await startScriptedCore({ onAcquire: () => undefined, catalog })
  const gateway = await startGateway([core.address])
  return {
    ...gateway,
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]()
      await core[Symbol.asyncDispose]()
    },
  }
}

const DIGEST = `sha256:${'a'.repeat(64)}`
const MODEL = {
  ...{ modelId: 'o/m', modelRef: 'hf:o/m', digest: DIGEST, state: CatalogState.ACTIVE },
  ...{ createdAtMs: 1_000n, updatedAtMs: 2_000n, verifiedAtMs: 3_000n, verifiedHostId: 'h1' },
}
const JSON_MODEL = {
  ...{ object: 'catalog_model', model_id: 'o/m', model_ref: 'hf:o/m', digest: DIGEST },
  ...{ memory_bytes: null, state: 'Active', created_at: '1970-01-01T00:00:01.000Z' },
  ...{ updated_at: '1970-01-01T00:00:02.000Z' },
  verified: { at: '1970-01-01T00:00:03.000Z', host_id: 'h1' },
}

describe('/v1/catalog/models', () => {
  it('puts a model with its source, digest and memory', async () => {
    const asked: unknown[] = []
    await using gateway = await start({
      putCatalogModel: async ({ modelId, modelRef, digest, memoryBytes }) => {
        asked.push({ modelId, modelRef, digest, memoryBytes })
        return { model: MODEL }
      },
    })
    const body = { model_id: 'o/m', model_ref: 'hf:o/m', digest: DIGEST, memory_bytes: 5 }
    const answer = await gateway.post('/v1/catalog/models', body)
    expect(answer.status).toBe(201)
    expect(await answer.json()).toEqual(JSON_MODEL)
    expect(asked).toEqual([{ modelId: 'o/m', modelRef: 'hf:o/m', digest: DIGEST, memoryBytes: 5n }])
  })

  it.each([
    [{ model_ref: 'm' }, 'model_id'],
    [{ model_id: 'm' }, 'model_ref'],
    [{ model_id: 'm', model_ref: 'm', digest: 'md5:1' }, 'digest'],
    [{ model_id: 'm', model_ref: 'm', memory_bytes: 0.5 }, 'memory_bytes'],
    [{ model_id: 'm', model_ref: 'm', trusted: true }, 'trusted'],
  ])('refuses %j with the name of the field', async (body, param) => {
    await using gateway = await start({})
    const answer = await gateway.post('/v1/catalog/models', body)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: { code: 'INVALID_PARAMS', param } })
  })

  it('says of what is not to be trusted why, as 400', async () => {
    await using gateway = await start({
      verifyCatalogModel: async () => {
        throw new BerthError('UNTRUSTED_ARTIFACT', 'It differs.', { facts: { host_id: 'h2' } })
      },
    })
    const answer = await gateway.post('/v1/catalog/models/o/m/verify', {})
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({
      error: { code: 'UNTRUSTED_ARTIFACT', host_id: 'h2', message: 'It differs.' },
    })
  })

  it('is read, verified, retired and removed by ids with slashes, encoded or not', async () => {
    const asked: string[] = []
    await using gateway = await start({
      listCatalogModels: async ({ modelId }) => (asked.push(`get ${modelId}`), { models: [MODEL] }),
      verifyCatalogModel: async ({ modelId }) => (
        asked.push(`verify ${modelId}`),
        { model: MODEL }
      ),
      setCatalogModelState: async ({ modelId, state }) => (
        asked.push(`state ${modelId} ${state}`),
        { model: { ...MODEL, state } }
      ),
      removeCatalogModel: async ({ modelId }) => (asked.push(`remove ${modelId}`), {}),
    })
    const url = `${gateway.url}/v1/catalog/models`
    expect(await (await fetch(url)).json()).toEqual({ object: 'list', data: [JSON_MODEL] })
    expect(await (await fetch(`${url}/o/m`)).json()).toEqual(JSON_MODEL)
    expect((await gateway.post('/v1/catalog/models/o%2Fm/verify', {})).status).toBe(200)
    const retired = await gateway.post('/v1/catalog/models/o/m/state', { state: 'Retired' })
    expect(await retired.json()).toMatchObject({ state: 'Retired' })
    expect((await fetch(`${url}/o%2Fm`, { method: 'DELETE' })).status).toBe(204)
    const told = ['get ', 'get o/m', 'verify o/m', `state o/m ${CatalogState.RETIRED}`]
    expect(asked).toEqual([...told, 'remove o/m'])
  })
})
