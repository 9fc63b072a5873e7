import { once } from 'node:events'
import { Agent, request, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolState } from '@berth/contract'
import {
  chat,
  enginePortOf,
  read,
  send,
  startTestAgent,
  type AgentUnderTest,
} from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { isAlive } from './testing/is-alive.ts'
import { simPool } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(40_000)

let nats: NatsServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

const start = (drainTimeoutMs: number) =>
  startTestAgent(nats.url, [simPool('a', { slots: 4 }, { tokens_per_s: 40 })], { drainTimeoutMs })

/** A gateway that keeps its connections, as ours does. */
const ask = async (
  test: AgentUnderTest,
  gateway: Agent,
  body: object,
): Promise<IncomingMessage> => {
  const outgoing = request({
    host: '127.0.0.1',
    port: test.agent.ingressPort,
    path: '/v1/chat/completions',
    method: 'POST',
    agent: gateway,
    headers: { 'berth-lease': test.token('a'), 'content-type': 'application/json' },
  })
  outgoing.end(JSON.stringify(chat(body)))
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return response
}

const openSockets = ({ sockets, freeSockets }: Agent) =>
  [...Object.values(sockets), ...Object.values(freeSockets)].flat().length

it('an agent that stops ends every connection with its last answer, and drops no request', async () => {
  const test = await start(20_000)
  const engine = await enginePortOf((await test.reaches('a', PoolState.READY)).pid)
  const gateway = new Agent({ keepAlive: true })
  const idle = await ask(test, gateway, { max_tokens: 1 })
  expect(idle.headers['connection']).toBe('keep-alive')
  await read(idle)
  const streams = await Promise.all(
    [40, 60].map((tokens) => ask(test, gateway, { stream: true, max_tokens: tokens })),
  )
  // Its answer has no head yet when the drain begins, and comes when the engine is told to hurry.
  let isLateAnswered = false
  const late = ask(test, gateway, { max_tokens: 2_000, ignore_eos: true })
  void late.then(() => (isLateAnswered = true))
  await eventually('three requests run', async () => (await test.status('a')).activeLeases === 3)

  const stopped = test[Symbol.asyncDispose]()
  const refused = await ask(test, gateway, {})
  expect(refused.headers).toMatchObject({ 'berth-refusal': 'draining', connection: 'close' })
  refused.resume()
  for (const stream of streams) expect(await read(stream)).toContain('data: [DONE]')
  await eventually('only the last request holds a connection', () => openSockets(gateway) === 1)
  expect(isLateAnswered).toBe(false)
  await read(await send(engine, '/__sim/knobs', { body: { tokens_per_s: 100_000 } }))
  const answer = await late
  expect(answer.headers['connection']).toBe('close')
  expect(JSON.parse(await read(answer))).toHaveProperty('usage')
  await stopped
  await eventually('no connection is open', () => openSockets(gateway) === 0)
})

it('what outlives the deadline is broken off, not ended as if it were whole', async () => {
  const test = await start(300)
  const { pid } = await test.reaches('a', PoolState.READY)
  const gateway = new Agent({ keepAlive: true })
  const stream = await ask(test, gateway, { stream: true, max_tokens: 4_000 })
  const broken = expect(read(stream)).rejects.toThrow()
  await test[Symbol.asyncDispose]()
  await broken
  expect(stream.complete).toBe(false)
  expect(isAlive(pid)).toBe(false)
})
