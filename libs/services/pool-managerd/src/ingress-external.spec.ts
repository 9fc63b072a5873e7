import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolMode, PoolState, ServiceState } from '@berth/contract'
import { listen } from '@berth/runtime'
import { chat, read, startTestAgent, type AgentUnderTest } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(40_000)

/** What an engine that nothing holds back would send. */
const ENDLESS_BYTES = 200_000_000

const CHAT = '/v1/chat/completions'
let nats: NatsServer
let server: Server
let test: AgentUnderTest
let asked: IncomingHttpHeaders[]
let answer: (res: ServerResponse) => void

beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

beforeEach(async () => {
  asked = []
  server = createServer((req, res) => {
    if (req.url === '/v1/models') return void res.end('{"data":[{"id":"m"}]}')
    asked.push(req.headers)
    req.resume().once('end', () => answer(res))
  })
  const port = await listen(server, { host: '127.0.0.1', port: 0, what: 'server of the test' })
  const pool = {
    id: 'x',
    engine: 'openai',
    url: `http://127.0.0.1:${port}`,
    model: 'm',
    api_key_env: 'HOME',
    lifecycle: { health_check_interval_s: 0.1 },
  }
  test = await startTestAgent(nats.url, [pool], { firstByteTimeoutMs: 300 })
  await test.reaches('x', PoolState.READY)
})
afterEach(async () => {
  server.close()
  server.closeAllConnections()
  await test[Symbol.asyncDispose]()
})

const ask = (headers: Record<string, string> = {}) =>
  test.post(CHAT, chat({ model: 'm' }), {
    'berth-lease': test.token('x', { modelId: 'm' }),
    'content-type': 'application/json',
    ...headers,
  })

it('passes only listed headers, and its own key in place of the client’s', async () => {
  answer = (res) => {
    res.setHeader('set-cookie', 'a=b')
    res.setHeader('content-type', 'application/json')
    res.setHeader('server', 'engine')
    res.end('{}')
  }
  const response = await ask({
    authorization: 'Bearer of-the-client',
    cookie: 'session=1',
    'x-conversation-id': 'c',
    'x-correlation-id': 'corr-1',
    traceparent: '00-1-2-01',
  })
  expect(await read(response)).toBe('{}')
  expect(asked[0]).toMatchObject({ 'x-correlation-id': 'corr-1', traceparent: '00-1-2-01' })
  expect(asked[0]!.authorization).toBe(`Bearer ${process.env['HOME']}`)
  for (const name of ['cookie', 'x-conversation-id', 'berth-lease'])
    expect(asked[0]![name]).toBeUndefined()
  expect(response.headers['content-type']).toBe('application/json')
  expect(response.headers['set-cookie']).toBeUndefined()
  expect(response.headers['server']).toBeUndefined()
})

it('an engine that hangs up before its first byte is refused as not ready', async () => {
  answer = (res) => res.destroy()
  const response = await ask()
  expect(response.headers['berth-refusal']).toBe('not_ready')
  response.resume()
})

it('an engine that says nothing in time is given up with 504', async () => {
  let isCut = false
  answer = (res) => res.once('close', () => (isCut = true))
  const response = await ask()
  expect(response.statusCode).toBe(504)
  expect(response.headers['berth-refusal']).toBeUndefined()
  response.resume()
  await eventually('the engine request is cut', () => isCut)
})

it('a slow reader holds the engine back instead of filling memory', async () => {
  let written = 0
  answer = (res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    const chunk = Buffer.alloc(65_536, 'x')
    const pump = () => {
      let hasRoom = true
      while (hasRoom && written < ENDLESS_BYTES) {
        hasRoom = res.write(chunk)
        written += chunk.length
      }
    }
    res.on('drain', pump)
    res.on('error', () => undefined)
    pump()
  }
  const response = await ask()
  response.pause()
  let before = 0
  let looks = 0
  await eventually('the engine stands still', () => {
    looks = written === before ? looks + 1 : 0
    before = written
    return written > 0 && looks >= 30
  })
  expect(written).toBeLessThan(ENDLESS_BYTES / 4)
  response.destroy()
})

it('a server that goes away is unready and Unknown, never restarted [001-MODE-3, 001-ST-7]', async () => {
  server.close()
  server.closeAllConnections()
  const pool = await test.reaches('x', PoolState.STARTING)
  expect(pool).toMatchObject({
    mode: PoolMode.EXTERNAL,
    ready: false,
    serviceState: ServiceState.UNKNOWN,
    pid: 0,
  })
  await expect(test.client.start({ poolId: 'x' })).rejects.toMatchObject({
    reason: 'UNSUPPORTED_OPERATION',
  })
  await expect(test.client.ensureHealthy({ poolId: 'x' })).rejects.toMatchObject({
    reason: 'POOL_UNREADY',
  })
})
