import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
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
import { simPool } from './testing/pools-folder.ts'

const CHAT = '/v1/chat/completions'
const COMPLETIONS = '/v1/completions'
const DIALECTS = ['llamacpp', 'vllm', 'ollama'] as const
// Real processes on a machine that may be busy.
jest.setTimeout(40_000)

let nats: NatsServer
let test: AgentUnderTest

beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
  test = await startTestAgent(nats.url, [
    ...DIALECTS.map((dialect) => simPool(dialect, {}, { dialect, tokens_per_s: 0 })),
    // Of a stream it notices at once that its client left, of anything else after an hour.
    simPool('late', {}, { dialect: 'llamacpp', tokens_per_s: 100, cancel_poll_ms: 3_600_000 }),
  ])
  for (const pool of [...DIALECTS, 'late']) await test.reaches(pool, PoolState.READY)
})
afterAll(async () => {
  await test[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
})

const ask = (pool: string, body: object, path = CHAT) =>
  test.post(path, body, {
    'berth-lease': test.token(pool),
    'content-type': 'application/json',
  })

/** The engine's own answer, past the ingress. */
const askEngine = async (pool: string, body: object, path = CHAT) => {
  const { pid } = await test.status(pool)
  const key = await keyOf(pid)
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  return send(await enginePortOf(pid), path, { body, headers })
}
const keyOf = async (pid: number) => {
  const { readFile } = await import('node:fs/promises')
  const environment = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0')
  return environment.find((line) => line.startsWith('BERTH_ENGINE_API_KEY='))!.split('=')[1]!
}

/** An answer without what differs from one request to the next. */
const lasting = (text: string) => {
  const { id: _, created: __, timings, ...rest } = JSON.parse(text) as Record<string, unknown>
  return { ...rest, hasTimings: timings !== undefined }
}
const lastingStream = (text: string) =>
  text
    .replace(/"(id|created)":("[^"]*"|\d+)/g, '"$1":0')
    .replace(/"timings":\{[^}]*\}/g, '"timings":{}')

const requestsOf = async (pool: string) => {
  const { pid } = await test.status(pool)
  const state = JSON.parse(await read(await send(await enginePortOf(pid), '/__sim/state'))) as {
    requests: readonly { stream: boolean; prompt_hash: string }[]
  }
  return state.requests
}

const BODIES = {
  [CHAT]: chat({ max_tokens: 12, seed: 5 }),
  [COMPLETIONS]: { model: 'sim-model', prompt: 'Tell me of ships.', max_tokens: 12, seed: 5 },
}
const WAYS = Object.keys(BODIES) as (keyof typeof BODIES)[]

describe.each(DIALECTS)('an engine that speaks %s', (pool) => {
  it.each(WAYS)('answers whole on %s as it does by itself', async (path) => {
    const response = await ask(pool, BODIES[path], path)
    expect(response.headers['content-type']).toContain('application/json')
    const own = await askEngine(pool, BODIES[path], path)
    expect(lasting(await read(response))).toEqual(lasting(await read(own)))
    expect(response.trailers['berth-usage']).toMatch(/^in=\d+,out=12$/)
  })

  it.each(WAYS)('streams on %s as it does by itself, and its tokens are counted', async (path) => {
    const body = { ...BODIES[path], stream: true }
    const response = await ask(pool, body, path)
    const text = await read(response)
    const own = await askEngine(pool, body, path)
    expect(lastingStream(text)).toBe(lastingStream(await read(own)))
    expect(text).not.toContain('"usage"')
    expect(response.trailers['berth-usage']).toMatch(/^in=\d+,out=12$/)
  })

  it('tells usage to a client that asks for it', async () => {
    const options = { stream: true, stream_options: { include_usage: true } }
    const response = await ask(pool, { ...BODIES[CHAT], ...options })
    expect(await read(response)).toContain('"completion_tokens":12')
  })

  it('answers what it refuses in its own words', async () => {
    const body = { ...BODIES[CHAT], messages: 'none' }
    const response = await ask(pool, body)
    const own = await askEngine(pool, body)
    expect(response.statusCode).toBe(own.statusCode)
    expect(await read(response)).toBe(await read(own))
  })
})

it('only llama-server is asked to stream what a client wants whole', async () => {
  const streams = async (pool: string) => {
    await read(await ask(pool, BODIES[CHAT]))
    return (await requestsOf(pool)).at(-1)!.stream
  }
  expect(await streams('llamacpp')).toBe(true)
  expect(await streams('vllm')).toBe(false)
})

it('a client that leaves a whole answer frees an engine that would notice late', async () => {
  const { default: http } = await import('node:http')
  const request = http.request({
    ...{ host: '127.0.0.1', port: test.agent.ingressPort, path: CHAT, method: 'POST' },
    headers: { 'berth-lease': test.token('late'), 'content-type': 'application/json' },
  })
  request.on('error', () => undefined)
  request.end(JSON.stringify(chat({ max_tokens: 4_000 })))
  await eventually('it runs', async () => (await test.simState('late')).counters.tokens_sent > 0)
  request.destroy()
  await eventually('the engine is free', async () => {
    const { running, aborted } = (await test.simState('late')).counters
    return running === 0 && aborted === 1
  })
  expect((await test.status('late')).slotsFree).toBe(2)
})

it('an engine that drops a whole answer in the middle breaks it off, so that it is tried again', async () => {
  await test.turn('llamacpp', { drop_mid_stream_after: 3 })
  await expect(ask('llamacpp', BODIES[CHAT])).rejects.toThrow()
  await test.turn('llamacpp', { drop_mid_stream_after: 0 })
  expect((await test.status('llamacpp')).activeLeases).toBe(0)
})

it('an engine that fails before its first byte answers with its own status', async () => {
  await test.turn('llamacpp', { error_status: 500 })
  const response = await ask('llamacpp', BODIES[CHAT])
  await test.turn('llamacpp', { error_status: 0 })
  expect(response.statusCode).toBe(500)
  expect(response.headers['berth-refusal']).toBeUndefined()
  expect(JSON.parse(await read(response))).toHaveProperty('error.message')
})

it('a body too large to gather reaches the engine whole', async () => {
  const content = 'Tell me of "ships", \\ and more. '.repeat(20_000)
  const body = chat({ max_tokens: 4, messages: [{ role: 'user', content }] })
  await test.turn('llamacpp', {})
  const response = await ask('vllm', body)
  // Longer than the context: the engine says how long, so it has read all of it.
  const own = await askEngine('vllm', body)
  expect(await read(response)).toBe(await read(own))
})
