import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolState } from '@berth/contract'
import { KEY, chat, read, startTestAgent, type AgentUnderTest } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { isAlive } from './testing/is-alive.ts'
import { simPool } from './testing/pools-folder.ts'

const CHAT = '/v1/chat/completions'
// Real processes on a machine that may be busy.
jest.setTimeout(40_000)

let nats: NatsServer
let test: AgentUnderTest

beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
  test = await startTestAgent(
    nats.url,
    [
      simPool('quick', {}, { tokens_per_s: 0 }),
      simPool('slow', { slots: 1 }, { tokens_per_s: 20 }),
      simPool('loading', {}, { never_ready: true }),
      simPool('drained'),
    ],
    { maxBodyBytes: 2_000 },
  )
  await test.reaches('quick', PoolState.READY)
  await test.reaches('slow', PoolState.READY)
  await test.reaches('drained', PoolState.READY)
  await test.client.drain({ poolId: 'drained' })
})
afterAll(async () => {
  await test[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
})

const ask = (token: string, body: object = chat(), path = CHAT) =>
  test.post(path, body, { 'berth-lease': token, 'content-type': 'application/json' })

describe('a request with a good lease', () => {
  it('is answered by the engine, with instance and usage', async () => {
    const response = await ask(test.token('quick'), chat({ max_tokens: 5 }))
    const body = JSON.parse(await read(response)) as { usage: Record<string, number> }
    expect(response.statusCode).toBe(200)
    expect(response.headers['berth-instance']).toBe((await test.status('quick')).instanceId)
    const { prompt_tokens: tokensIn, completion_tokens: tokensOut } = body.usage
    expect(response.trailers['berth-usage']).toBe(`in=${tokensIn},out=${tokensOut}`)
  })

  it('streams, and teaches the pool its speed', async () => {
    const options = { stream: true, max_tokens: 20, stream_options: { include_usage: true } }
    const response = await ask(test.token('quick'), chat(options))
    expect(await read(response)).toContain('data: [DONE]')
    expect(response.trailers['berth-usage']).toMatch(/^in=\d+,out=20$/)
    const { performance } = await test.status('quick')
    expect(performance!.firstTokenMs).toBeGreaterThan(0)
  })

  it('never hands the engine the key or the cookies of the client', async () => {
    const response = await test.post(CHAT, chat({ max_tokens: 1 }), {
      'berth-lease': test.token('quick'),
      'content-type': 'application/json',
      authorization: 'Bearer of-the-client',
      cookie: 'a=b',
    })
    // The simulator refuses every key but its own, so the agent's has replaced the client's.
    expect(response.statusCode).toBe(200)
    response.resume()
  })

  it("gets the engine's own error as it is, without a refusal", async () => {
    const response = await ask(test.token('quick'), { model: 'another', messages: [] })
    expect(response.statusCode).toBeGreaterThanOrEqual(400)
    expect(response.headers['berth-refusal']).toBeUndefined()
    response.resume()
  })

  it('is refused as too large beyond the limit of the body', async () => {
    const response = await ask(test.token('quick'), chat({ user: 'x'.repeat(5_000) }))
    expect(response.statusCode).toBe(413)
    response.resume()
  })
})

describe('a request is refused', () => {
  const otherKey = { keyId: KEY.keyId, key: new Uint8Array(32).fill(9) }
  it.each<[string, () => string, string?]>([
    ['bad_token', () => ''],
    ['bad_token', () => test.token('quick', {}, otherKey)],
    ['bad_token', () => test.token('quick', {}, { ...KEY, keyId: 't6' })],
    ['wrong_pool', () => test.token('nowhere')],
    ['wrong_pool', () => test.token('quick', { hostId: 'h2' })],
    ['stale_epoch', () => test.token('quick', { epoch: 1 })],
    ['stale_term', () => test.token('quick', { term: 6 })],
    ['expired', () => test.token('quick', { expiresAtMs: 1 })],
    ['unsupported_route', () => test.token('quick'), '/v1/files'],
    ['not_ready', () => test.token('loading')],
    ['draining', () => test.token('drained')],
  ])('as %s', async (refusal, token, path = CHAT) => {
    const response = await ask(token(), chat(), path)
    expect(response.statusCode).toBe(503)
    expect(response.headers['berth-refusal']).toBe(refusal)
    response.resume()
  })

  it('as replayed when its lease was used before', async () => {
    const token = test.token('quick')
    await read(await ask(token, chat({ max_tokens: 1 })))
    const again = await ask(token)
    expect(again.headers['berth-refusal']).toBe('replayed')
    again.resume()
  })

  it('as no_slot when every slot is taken, and the slot is free when the client leaves', async () => {
    const streaming = await ask(test.token('slow'), chat({ stream: true, max_tokens: 4_000 }))
    await eventually('the slot is taken', async () => (await test.status('slow')).slotsFree === 0)
    const refused = await ask(test.token('slow'))
    expect(refused.headers['berth-refusal']).toBe('no_slot')
    refused.resume()
    streaming.destroy()
    await eventually('the slot is free', async () => (await test.status('slow')).slotsFree === 1)
    const state = await eventually('the engine stopped', async () => {
      const { counters } = await test.simState('slow')
      return counters.running === 0 && counters
    })
    expect(state.aborted).toBeGreaterThan(0)
  })
})

it('an engine that dies in the middle of an answer breaks the body off', async () => {
  const { pid } = await test.reaches('slow', PoolState.READY)
  const response = await ask(test.token('slow'), chat({ stream: true, max_tokens: 4_000 }))
  response.once('data', () => process.kill(pid, 'SIGKILL'))
  await expect(read(response)).rejects.toThrow()
  expect(response.complete).toBe(false)
  await test.reaches('slow', PoolState.READY)
})

it('an agent that stops finishes what is in flight, refuses what is new, then stops engines', async () => {
  const pools = [simPool('a', {}, { tokens_per_s: 40 })]
  // Two agents of one host id are not to meet.
  await using bus = await startNatsServer({ jetstream: true })
  const stopping = await startTestAgent(bus.url, pools, { drainTimeoutMs: 20_000 })
  const { pid } = await stopping.reaches('a', PoolState.READY)
  const token = () => ({
    'berth-lease': stopping.token('a'),
    'content-type': 'application/json',
  })
  const streaming = await stopping.post(CHAT, chat({ stream: true, max_tokens: 60 }), token())
  const stopped = stopping[Symbol.asyncDispose]()
  const refused = await stopping.post(CHAT, chat(), token())
  expect(refused.headers['berth-refusal']).toBe('draining')
  refused.resume()
  expect(await read(streaming)).toContain('data: [DONE]')
  await stopped
  expect(isAlive(pid)).toBe(false)
})
