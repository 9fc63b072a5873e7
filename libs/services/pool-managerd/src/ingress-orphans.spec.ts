import { createServer, request, type Server, type ServerResponse } from 'node:http'
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolState } from '@berth/contract'
import { listen } from '@berth/runtime'
import {
  chat,
  read,
  send,
  startTestAgent,
  type AgentUnderTest,
} from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'

const CHAT = '/v1/chat/completions'
// Real processes on a machine that may be busy.
jest.setTimeout(40_000)

let nats: NatsServer
let server: Server
let test: AgentUnderTest
let answering: ServerResponse[] = []
let cut = 0

beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
  server = createServer((req, res) => {
    if (req.url === '/v1/models') return void res.end('{"data":[{"id":"m"}]}')
    res.once('close', () => {
      if (!res.writableFinished) cut += 1
    })
    req.resume().once('end', () => {
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      res.write(': started\n\n')
      answering.push(res)
    })
  })
  const port = await listen(server, { host: '127.0.0.1', port: 0, what: 'server of the test' })
  const pool = (id: string, on_disconnect: string) => ({
    ...{ id, engine: 'openai', url: `http://127.0.0.1:${port}`, model: 'm' },
    engine_options: { on_disconnect },
    lifecycle: { health_check_interval_s: 0.1 },
  })
  test = await startTestAgent(nats.url, [pool('draining', 'drain'), pool('aborting', 'abort')])
  for (const each of ['draining', 'aborting']) await test.reaches(each, PoolState.READY)
})
afterAll(async () => {
  server.close()
  server.closeAllConnections()
  await test[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
})

/** A client that leaves as soon as the engine works for it. */
const leave = async (poolId: string) => {
  answering = []
  const leaving = request({
    ...{ host: '127.0.0.1', port: test.agent.ingressPort, path: CHAT, method: 'POST' },
    headers: {
      'berth-lease': test.token(poolId, { modelId: 'm' }),
      'content-type': 'application/json',
    },
  })
  leaving.on('error', () => undefined)
  leaving.end(JSON.stringify(chat({ model: 'm', stream: true })))
  await eventually('the engine works', () => answering.length === 1)
  leaving.destroy()
}
const free = async (poolId: string) => (await test.status(poolId)).slotsFree
const orphanedSeconds = async (poolId: string) => {
  const text = await read(await send(test.agent.httpPort, '/metrics'))
  const line = text.split('\n').find((each) => {
    return each.startsWith(`berth_orphaned_gpu_seconds_total{pool_id="${poolId}"}`)
  })
  return Number(line?.split(' ').at(-1) ?? 0)
}

it('an engine that is to finish keeps its slot until it does, and the time it took is told', async () => {
  const total = (await test.status('draining')).slotsTotal
  await leave('draining')
  await eventually('the ingress knows', async () => {
    const text = await read(await send(test.agent.httpPort, '/metrics'))
    return text.includes('berth_ingress_inflight{pool_id="draining"} 1')
  })
  expect(await free('draining')).toBe(total - 1)
  expect(cut).toBe(0)
  answering[0]!.end('data: [DONE]\n\n')
  await eventually('the slot is free', async () => (await free('draining')) === total)
  expect(await orphanedSeconds('draining')).toBeGreaterThan(0)
})

it('an engine that stops with its client is told at once, and works for nobody', async () => {
  const total = (await test.status('aborting')).slotsTotal
  await leave('aborting')
  await eventually('the engine is told', () => cut === 1)
  await eventually('the slot is free', async () => (await free('aborting')) === total)
  expect(await orphanedSeconds('aborting')).toBe(0)
})
