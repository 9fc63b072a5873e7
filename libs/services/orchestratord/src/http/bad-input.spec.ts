import { connect } from 'node:net'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { CHAT, chat, startGateway } from '../testing/gateway-rig.ts'
import { startScriptedCore, type ScriptedCore } from '../testing/scripted-core.ts'
import { until } from '../testing/until.ts'

const MAX_BODY_BYTES = 10_000
const UUID = /^[0-9a-f-]{36}$/

let core: ScriptedCore
let gateway: Awaited<ReturnType<typeof startGateway>>
beforeAll(async () => {
  core = await startScriptedCore({
    models: [{ modelId: 'served/one' }, { modelId: 'two' }],
    onAcquire: ({ jobId }, session) =>
      session.send({ case: 'rejected', value: { jobId, reason: 'MODEL_NOT_FOUND' } }),
  })
  gateway = await startGateway([core.address], { maxBodyBytes: MAX_BODY_BYTES })
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await core[Symbol.asyncDispose]()
})

interface Told {
  readonly error: Readonly<Record<string, unknown>> & { readonly message: string }
}
const told = async (answer: Response) => (await answer.json()) as Told
const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)

describe('a body that is refused', () => {
  it.each([
    ['malformed JSON', '{"model": "m",}', 'body', 'position 14 (line 1, column 15)'],
    ['malformed JSON on a later line', '{\n"model" "m"}', 'body', 'position 10 (line 2, column 9)'],
    ['JSON that ends too early', '{"model": "m"', 'body', 'position 13 (line 1, column 14)'],
    ['no body', '', 'body', 'position 0'],
    ['a list', '[]', 'body', 'must be a JSON object'],
    ['deep nesting', `{"model":"m","x":${deep(200)}}`, 'body', 'nests deeper than 100'],
    ['no model', '{"messages": []}', 'model', 'field model is missing'],
    ['an empty model', '{"model": ""}', 'model', 'field model is missing'],
    ['a model that is no string', '{"model": 7}', 'model', 'must be a string'],
    ['a model that could be a flag', '{"model": "--x"}', 'model', 'not valid'],
    ['a second model by another name', '{"model": "m", "MODEL": "n"}', 'MODEL', 'as model'],
    [
      'a limit that only some engines read',
      '{"model": "m", "max_to\u212aens": 9}',
      'max_to\u212aens',
      'as',
    ],
    ['a stream that is text', '{"model": "m", "stream": "true"}', 'stream', 'true or false'],
  ])('is a 400 for %s and says where', async (_what, body, param, message) => {
    const answer = await gateway.post(CHAT, body)
    expect(answer.status).toBe(400)
    expect(answer.headers.get('x-correlation-id')).toMatch(UUID)
    const { error } = await told(answer)
    expect(error).toMatchObject({ code: 'INVALID_PARAMS', type: 'invalid_request_error', param })
    expect(error.message).toContain(message)
    expect(error['correlation_id']).toBe(answer.headers.get('x-correlation-id'))
  })

  it('is a 400 for bytes that are no UTF-8', async () => {
    const body = new Uint8Array([0x7b, 0xff, 0x7d])
    const answer = await fetch(gateway.url + CHAT, { method: 'POST', body })
    expect(answer.status).toBe(400)
    expect((await told(answer)).error.message).toContain('UTF-8')
  })

  it('is a 413 when its declared size is over the limit', async () => {
    const answer = await gateway.post(CHAT, 'x'.repeat(MAX_BODY_BYTES + 1))
    expect(answer.status).toBe(413)
    expect(answer.headers.get('x-correlation-id')).toMatch(UUID)
    expect((await told(answer)).error).toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      max_body_bytes: MAX_BODY_BYTES,
    })
  })

  it('is a 413 when it grows over the limit chunk by chunk', async () => {
    const upload = request(gateway.url + CHAT, { method: 'POST' })
    upload.on('error', () => undefined)
    const answered = new Promise<{ status: number | undefined; body: string }>((resolve) =>
      upload.on('response', (res) => {
        void text(res).then((body) => resolve({ status: res.statusCode, body }))
      }),
    )
    const writing = setInterval(() => upload.write('x'.repeat(4_000)), 5)
    const { status, body } = await answered.finally(() => clearInterval(writing))
    upload.destroy()
    expect(status).toBe(413)
    expect(body).toContain('PAYLOAD_TOO_LARGE')
  })

  it('is a 400 when it is compressed', async () => {
    const answer = await gateway.post(CHAT, chat(), { headers: { 'Content-Encoding': 'gzip' } })
    expect(answer.status).toBe(400)
    expect((await told(answer)).error).toMatchObject({ param: 'Content-Encoding' })
  })
})

describe('headers that are refused', () => {
  it.each([
    ['X-Priority', 'urgent'],
    ['X-Deadline-Ms', 'soon'],
    ['X-Deadline-Ms', '0'],
    ['X-Deadline-Ms', '-5'],
    ['X-Max-Wait-Ms', '1e3'],
    ['X-Max-Wait-Ms', '99999999999'],
    ['X-Session-Id', 'no spaces'],
    ['X-KV-Hint', 'warm'],
    ['X-Determinism', 'yes'],
    ['X-Sampler-Profile-Version', 'no spaces'],
    ['X-Expected-Tokens', '0'],
    ['X-Expected-Tokens', '1.5'],
    ['X-Required-Ctx', '-1'],
    ['X-Budget-Tokens', '0'],
    ['X-Budget-Tokens', '12345678901234'],
    ['X-Budget-Time-Ms', 'soon'],
    ['X-Budget-Cost', '0.000'],
    ['X-Budget-Cost', '1.2345678'],
    ['X-Budget-Cost', '-1'],
  ])('are a 400 that names %s (%s)', async (name, value) => {
    const answer = await gateway.post(CHAT, chat(), { headers: { [name]: value } })
    expect(answer.status).toBe(400)
    expect((await told(answer)).error).toMatchObject({ code: 'INVALID_PARAMS', param: name })
  })

  it('do not carry a malformed correlation id into the answer', async () => {
    const headers = { 'X-Correlation-Id': 'no spaces allowed' }
    const answer = await fetch(`${gateway.url}/healthz`, { headers })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-correlation-id')).toMatch(UUID)
  })
})

describe('a route that is refused', () => {
  it('is a 404 with the envelope and a correlation id', async () => {
    const headers = { 'X-Correlation-Id': 'mine' }
    const answer = await fetch(`${gateway.url}/v1/nothing`, { headers })
    expect(answer.status).toBe(404)
    expect(answer.headers.get('x-correlation-id')).toBe('mine')
    expect((await told(answer)).error).toMatchObject({ code: 'UNSUPPORTED_ROUTE' })
  })

  it.each([
    ['GET', CHAT, 'POST'],
    ['DELETE', '/v1/models', 'GET, HEAD'],
    ['POST', '/v1/pools/a/health', 'GET, HEAD'],
  ])('is a 405 with Allow for %s %s', async (method, path, allow) => {
    const answer = await fetch(gateway.url + path, { method })
    expect(answer.status).toBe(405)
    expect(answer.headers.get('allow')).toBe(allow)
    expect((await told(answer)).error).toMatchObject({ code: 'METHOD_NOT_ALLOWED' })
  })

  it('is a 400 for a path that does not decode', async () => {
    const answer = await fetch(`${gateway.url}/v1/models/%zz`)
    expect(answer.status).toBe(400)
    expect((await told(answer)).error).toMatchObject({ code: 'INVALID_PARAMS', param: 'path' })
  })

  it.each([
    ['what is no HTTP', 'NOT HTTP AT ALL\r\n\r\n'],
    ['a request without Host', 'GET /v1/models HTTP/1.1\r\nConnection: close\r\n\r\n'],
  ])('is a 400 with a correlation id for %s', async (_what, sent) => {
    const socket = connect(gateway.port, '127.0.0.1')
    socket.write(sent)
    const answer = await text(socket)
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(answer).toMatch(/X-Correlation-Id: [0-9a-f-]{36}\r\n/)
    expect(answer).toContain('"code":"INVALID_PARAMS"')
  })
})

describe('an expectation that nobody knows', () => {
  it('is ignored', async () => {
    const socket = connect(gateway.port, '127.0.0.1')
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: cake\r\nConnection: close\r\n\r\n')
    const answer = await text(socket)
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\nX-Correlation-Id: [0-9a-f-]{36}\r\n/)
  })
})

describe('a name that nobody knows', () => {
  it('is a 404 that lists what is served, for a model in a request', async () => {
    const answer = await gateway.post(CHAT, chat({ model: 'nope' }))
    expect(answer.status).toBe(404)
    const { error } = await told(answer)
    expect(error).toMatchObject({ code: 'MODEL_NOT_FOUND', param: 'model' })
    expect(error.message).toBe('The model nope is not served here. Served: served/one, two.')
  })

  it('is a 404 for a model and for a pool', async () => {
    const [model, pool] = await Promise.all(
      ['/v1/models/no/such', '/v1/pools/none/health'].map((path) => fetch(gateway.url + path)),
    )
    expect([model?.status, pool?.status]).toEqual([404, 404])
    expect((await told(pool!)).error).toMatchObject({ code: 'POOL_NOT_FOUND' })
  })

  it('finds a model whose id holds a slash, encoded or not', async () => {
    for (const path of ['/v1/models/served/one', '/v1/models/served%2Fone']) {
      const answer = await fetch(gateway.url + path)
      expect(await answer.json()).toMatchObject({ id: 'served/one', object: 'model' })
    }
  })
})

describe('bytes in flight', () => {
  it('are bounded over all requests, with a 503 above', async () => {
    await using busy = await startGateway([core.address], { maxInflightBodyBytes: 5_000 })
    const held = request(busy.url + CHAT, {
      method: 'POST',
      headers: { 'Content-Length': 4_000 },
    })
    held.on('error', () => undefined)
    held.write('x')
    await until('the first body is counted', async () =>
      (await (await fetch(`${busy.url}/metrics`)).text()).match(/berth_gateway_body_bytes 4000/),
    )

    const refused = await busy.post(CHAT, 'x'.repeat(2_000))
    expect(refused.status).toBe(503)
    expect((await told(refused)).error).toMatchObject({ code: 'REPLICA_EXHAUSTED' })
    expect(refused.headers.get('retry-after')).toBe('1')

    held.destroy()
    await until('the bytes are given back', async () =>
      (await (await fetch(`${busy.url}/metrics`)).text()).match(/berth_gateway_body_bytes 0/),
    )
  })
})
