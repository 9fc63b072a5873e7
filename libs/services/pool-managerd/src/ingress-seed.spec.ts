import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolState } from '@berth/contract'
import { listen } from '@berth/runtime'
import {
  chat,
  enginePortOf,
  read,
  send,
  startTestAgent,
  type AgentUnderTest,
} from './testing/agent-under-test.ts'
import { simPool } from './testing/pools-folder.ts'

const BODY = chat({ max_tokens: 5 })
const CHAT = '/v1/chat/completions'
// Real processes on a machine that may be busy.
jest.setTimeout(40_000)

let nats: NatsServer
let server: Server
let test: AgentUnderTest
const taken: { readonly headers: IncomingHttpHeaders; readonly body: string }[] = []

beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
  server = createServer((req, res) => {
    if (req.url === '/v1/models') return void res.end('{"data":[{"id":"sim-model"}]}')
    void text(req).then((body) => {
      taken.push({ headers: req.headers, body })
      res.end('{}')
    })
  })
  const port = await listen(server, { host: '127.0.0.1', port: 0, what: 'server of the test' })
  const outside = { id: 'outside', engine: 'openai', url: `http://127.0.0.1:${port}` }
  test = await startTestAgent(nats.url, [
    simPool('sim', {}, { tokens_per_s: 0 }),
    { ...outside, model: 'sim-model', lifecycle: { health_check_interval_s: 0.1 } },
  ])
  await test.reaches('sim', PoolState.READY)
  await test.reaches('outside', PoolState.READY)
})
afterAll(async () => {
  server.close()
  server.closeAllConnections()
  await test[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
})

const ask = async (pool: string, headers: Record<string, string>) => {
  const lease = { 'berth-lease': test.token(pool), 'content-type': 'application/json' }
  const length = { 'content-length': String(JSON.stringify(BODY).length) }
  const response = await test.post(CHAT, BODY, { ...lease, ...length, ...headers })
  expect(response.statusCode).toBe(200)
  return read(response)
}

interface Seen {
  readonly requests: readonly { readonly seed: number; readonly prompt_hash: string }[]
}
const seen = async () => {
  const port = await enginePortOf((await test.status('sim')).pid)
  return (JSON.parse(await read(await send(port, '/__sim/state'))) as Seen).requests
}

describe('the seed that a gateway sends with a strict lease', () => {
  it('[004-11a] reaches a real engine, with the same prompt and the same answer each time', async () => {
    const content = (body: string) => (JSON.parse(body) as { choices: unknown }).choices
    const first = content(await ask('sim', { 'berth-seed': '1234567' }))
    const again = content(await ask('sim', { 'berth-seed': '1234567' }))
    await ask('sim', {})
    const requests = await seen()
    expect(requests.map(({ seed }) => seed)).toEqual([1234567, 1234567, 0])
    expect(new Set(requests.map(({ prompt_hash: hash }) => hash)).size).toBe(1)
    expect(again).toEqual(first)
  })

  it('is all that changes of the body, and its header goes no further', async () => {
    await ask('outside', { 'berth-seed': '77' })
    const { headers, body } = taken.at(-1)!
    expect(body).toBe(`{"seed":77,${JSON.stringify(BODY).slice(1)}`)
    expect(headers['berth-seed']).toBeUndefined()
    expect(headers['content-length']).toBe(String(body.length))
  })

  it('is nothing that a body gets without it', async () => {
    await ask('outside', {})
    expect(taken.at(-1)!.body).toBe(JSON.stringify(BODY))
  })
})
