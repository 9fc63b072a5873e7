import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { CHAT, chat, startGateway } from '../testing/gateway-rig.ts'
import { makeKeyFile } from '../testing/key-file.ts'
import { startScriptedCore, type ScriptedCore } from '../testing/scripted-core.ts'
import { answerJson, startScriptedIngress } from '../testing/scripted-ingress.ts'
import { until } from '../testing/until.ts'

const UUID = /^[0-9a-f-]{36}$/
const APP = { key: 'app-key', tenant: 'apps' }
const NARROW = { key: 'narrow-key', models: ['served/one'] }
const OPS = { key: 'ops-key', scopes: ['operator'] }
const ADMIN = { key: 'admin-key', scopes: ['admin'] }

const file = makeKeyFile(APP, NARROW, OPS, ADMIN)
let core: ScriptedCore
let ingress: Awaited<ReturnType<typeof startScriptedIngress>>
let gateway: Awaited<ReturnType<typeof startGateway>>
beforeAll(async () => {
  ingress = await startScriptedIngress((call) => answerJson(call))
  core = await startScriptedCore({
    models: [{ modelId: 'served/one' }, { modelId: 'two' }],
    onAcquire: (acquire, session) => {
      const { jobId, job } = acquire
      const value = { jobId, reason: 'MODEL_NOT_FOUND' }
      if (job?.modelId === 'gone') session.send({ case: 'rejected', value })
      else session.assign(acquire, ingress.address)
    },
  })
  gateway = await startGateway([core.address], { keysFile: file.path })
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await core[Symbol.asyncDispose]()
  await ingress[Symbol.asyncDispose]()
  file[Symbol.dispose]()
})

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const get = (path: string, headers: Record<string, string> = {}, url = gateway.url) =>
  fetch(url + path, { headers })
const errorOf = async (answer: Response) =>
  ((await answer.json()) as { readonly error: Record<string, unknown> }).error
const failures = async (reason: string) => {
  const text = await (await get('/metrics')).text()
  const series = new RegExp(`^berth_gateway_auth_failures_total{reason="${reason}"} (\\d+)$`, 'm')
  return Number(series.exec(text)?.[1] ?? 0)
}

describe('a request without a key that is known', () => {
  it.each<[string, Record<string, string>, string]>([
    ['without one', {}, 'missing'],
    ['with basic credentials', { authorization: 'Basic YTpi' }, 'missing'],
    ['with an empty bearer', { authorization: 'Bearer ' }, 'missing'],
    ['with a wrong one', bearer('app-kez'), 'unknown'],
    ['with a wrong x-api-key', { 'x-api-key': 'app' }, 'unknown'],
    ['with the hash of one', bearer('a'.repeat(64)), 'unknown'],
    ['with a very long one', bearer('a'.repeat(10_000)), 'unknown'],
  ])('is a 401 %s, counted without an id', async (_what, headers, reason) => {
    const before = await failures(reason)
    const answer = await gateway.post(CHAT, chat(), { headers })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="berth"')
    expect(answer.headers.get('x-correlation-id')).toMatch(UUID)
    expect(await errorOf(answer)).toMatchObject({
      code: 'UNAUTHENTICATED',
      type: 'authentication_error',
      retriable: false,
    })
    expect(await failures(reason)).toBe(before + 1)
  })

  it('is refused before its body is read, and asks core for nothing', async () => {
    const asked = core.acquires().length
    const answer = await gateway.post(CHAT, '{ this is no JSON')
    expect(answer.status).toBe(401)
    expect(core.acquires()).toHaveLength(asked)
  })

  it.each([
    '/v1/models',
    '/v1/models/two',
    '/v1/pools',
    '/v1/hosts',
    '/v1/version',
    '/v1/sessions/a',
  ])('is a 401 at %s', async (path) => {
    expect((await get(path)).status).toBe(401)
  })

  it.each(['/healthz', '/readyz', '/metrics'])('may look at %s', async (path) => {
    expect((await get(path)).status).toBe(200)
  })
})

describe('a key', () => {
  it.each([bearer(APP.key), { authorization: `bearer  ${APP.key}` }, { 'x-api-key': APP.key }])(
    'is taken from %j, and goes no further',
    async (headers) => {
      const answer = await gateway.post(CHAT, chat(), { headers })
      expect(answer.status).toBe(200)
      expect(core.acquires().at(-1)!.job).toMatchObject({ tenant: 'apps', keyId: 'app-key' })
      const upstream = ingress.calls.at(-1)!.headers
      expect([upstream.authorization, upstream['x-api-key']]).toEqual([undefined, undefined])
    },
  )

  it.each([
    ['inference', OPS.key, '/v1/models'],
    ['inference', ADMIN.key, '/v1/models'],
    ['operator', APP.key, '/v1/pools'],
    ['operator', APP.key, '/v1/pools/a/health'],
    ['operator', ADMIN.key, '/v1/hosts'],
  ])('without the scope %s is a 403 (%s at %s)', async (scope, key, path) => {
    const before = await failures('scope')
    const answer = await get(path, bearer(key))
    expect(answer.status).toBe(403)
    expect(answer.headers.get('x-correlation-id')).toMatch(UUID)
    expect(await errorOf(answer)).toMatchObject({ code: 'FORBIDDEN', required_scope: scope })
    expect(await failures('scope')).toBe(before + 1)
  })

  it('with the scope operator sees the fleet', async () => {
    expect((await get('/v1/hosts', bearer(OPS.key))).status).toBe(200)
  })

  it('of any scope may ask for the version', async () => {
    expect((await get('/v1/version', bearer(ADMIN.key))).status).toBe(200)
  })
})

describe('a key that may use some models only', () => {
  it('gets a 403 for another, whether or not it exists', async () => {
    const before = await failures('model')
    for (const model of ['two', 'nowhere']) {
      const options = { headers: bearer(NARROW.key) }
      const answer = await gateway.post(CHAT, chat({ model }), options)
      expect(answer.status).toBe(403)
      expect(await errorOf(answer)).toMatchObject({ code: 'MODEL_NOT_ALLOWED', param: 'model' })
    }
    expect(await failures('model')).toBe(before + 2)
  })

  it('sees its models only', async () => {
    const list = await (await get('/v1/models', bearer(NARROW.key))).json()
    expect(list).toMatchObject({ data: [{ id: 'served/one' }] })
    expect((await get('/v1/models/served/one', bearer(NARROW.key))).status).toBe(200)
    const other = await get('/v1/models/two', bearer(NARROW.key))
    expect(other.status).toBe(404)
    expect((await errorOf(other))['message']).toBe('There is no model two. Served: served/one.')
  })

  it('is no limit to a key that names none', async () => {
    const list = await (await get('/v1/models', bearer(APP.key))).json()
    expect(list).toMatchObject({ data: [{ id: 'served/one' }, { id: 'two' }] })
    const answer = await gateway.post(CHAT, chat({ model: 'gone' }), { headers: bearer(APP.key) })
    expect((await errorOf(answer))['message']).toContain('Served: served/one, two.')
  })
})

describe('a key file that changes', () => {
  it('lets new keys in and old ones out, while the gateway runs', async () => {
    using changing = makeKeyFile({ key: 'first' })
    await using own = await startGateway([core.address], { keysFile: changing.path })
    const statusOf = async (key: string) => (await get('/v1/models', bearer(key), own.url)).status
    expect([await statusOf('first'), await statusOf('second')]).toEqual([200, 401])
    changing.write({ key: 'second' })
    await until('the new key is known', async () => (await statusOf('second')) === 200)
    expect(await statusOf('first')).toBe(401)
  })
})
