import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startGateway } from '../testing/gateway-rig.ts'
import { makeKeyFile } from '../testing/key-file.ts'
import { startScriptedCore, type ScriptedCore } from '../testing/scripted-core.ts'

const file = makeKeyFile({ key: 'ours', tenant: 'ours' }, { key: 'theirs', tenant: 'theirs' })
let core: ScriptedCore
let gateway: Awaited<ReturnType<typeof startGateway>>
beforeAll(async () => {
  core = await startScriptedCore({
    onAcquire: () => undefined,
    tenant: 'ours',
    sessions: [
      {
        sessionId: 's:1',
        ttlMsRemaining: 500,
        turns: 2,
        turnsMax: 8,
        kvWarmth: true,
        poolId: 'pool-a',
        limit: { tokens: 100n, costMicros: 2_500_000n },
        remaining: { tokens: 0n, costMicros: 10n },
      },
      { sessionId: 'bare' },
    ],
  })
  gateway = await startGateway([core.address], { keysFile: file.path })
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await core[Symbol.asyncDispose]()
  file[Symbol.dispose]()
})

const call = (method: string, id: string, key = 'ours') =>
  fetch(`${gateway.url}/v1/sessions/${id}`, { method, headers: { 'x-api-key': key } })

describe('a session', () => {
  it('is shown with its budgets', async () => {
    const answer = await call('GET', 's:1')
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({
      id: 's:1',
      object: 'session',
      ttl_ms_remaining: 500,
      turns: 2,
      turns_max: 8,
      kv_warmth: true,
      pool_id: 'pool-a',
      budget: {
        limit: { tokens: 100, time_ms: null, cost: '2.5' },
        remaining: { tokens: 0, time_ms: null, cost: '0.00001' },
      },
    })
  })

  it('without budget and pool says so with null', async () => {
    expect(await (await call('GET', 'bare')).json()).toMatchObject({
      pool_id: null,
      budget: { remaining: { tokens: null, time_ms: null, cost: null } },
    })
  })

  it('of another tenant, or of nobody, is a 404', async () => {
    for (const answer of [await call('GET', 's:1', 'theirs'), await call('GET', 'nowhere')]) {
      expect(answer.status).toBe(404)
      expect(await answer.json()).toMatchObject({ error: { code: 'SESSION_NOT_FOUND' } })
    }
  })

  it('is ended by DELETE for the tenant of the key, as often as asked', async () => {
    for (const id of ['s:1', 's:1', 'nowhere'])
      expect((await call('DELETE', id, 'theirs')).status).toBe(204)
    expect(core.ended.map(({ tenant, sessionId }) => [tenant, sessionId])).toEqual([
      ['theirs', 's:1'],
      ['theirs', 's:1'],
      ['theirs', 'nowhere'],
    ])
  })

  it('with an id that is none is a 400', async () => {
    const answer = await call('GET', 'no%20spaces')
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: { param: 'id' } })
  })

  it('is a 405 with Allow for other methods', async () => {
    const answer = await call('PUT', 's:1')
    expect(answer.status).toBe(405)
    expect(answer.headers.get('allow')).toBe('GET, HEAD, DELETE')
  })
})
