import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolState } from '@berth/contract'
import { startAgentProcess } from './testing/agent-process.ts'
import {
  chat,
  enginePortOf,
  read,
  send,
  startTestAgent,
  type AgentUnderTest,
} from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { makePoolsFolder, simPool } from './testing/pools-folder.ts'

const CHAT = '/v1/chat/completions'
// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let nats: NatsServer

beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

const measured = (test: AgentUnderTest, pool: string) =>
  eventually(`${pool} is measured`, async () => {
    const { performance } = await test.status(pool)
    return performance && performance.samples > 0 && performance
  })
const ask = (test: AgentUnderTest, pool: string, body: object) =>
  test.post(CHAT, body, {
    'berth-lease': test.token(pool),
    'content-type': 'application/json',
  })
const metricsOf = async (test: AgentUnderTest) => read(await send(test.agent.httpPort, '/metrics'))

describe('an engine nothing is known of', () => {
  let test: AgentUnderTest
  beforeAll(async () => {
    // Of another kind: what the first is measured at is not known of the second.
    const other = { model: 'other', model_id: 'sim-model' }
    const paced = { tokens_per_s: 200, first_token_ms: 20 }
    test = await startTestAgent(
      nats.url,
      [simPool('paced', {}, paced), simPool('slow', { slots: 1, ...other }, { tokens_per_s: 2 })],
      { warmUpTokens: 16 },
    )
  })
  afterAll(async () => {
    await test[Symbol.asyncDispose]()
  })

  it('[002-06b] [002-16b] is measured once it is ready, and its figures are in the snapshot', async () => {
    const { tokensPerS, firstTokenMs, cells } = await measured(test, 'paced')
    // The simulator keeps its pace: it may be late, never early.
    expect(tokensPerS).toBeGreaterThan(0)
    expect(tokensPerS).toBeLessThan(250)
    expect(firstTokenMs).toBeGreaterThan(19)
    expect(cells).toMatchObject([{ modelId: 'sim-model', promptBand: 1, occupancyBand: 0 }])
  })

  it('[002-16a] is told by load and prompt length as requests come', async () => {
    const body = chat({ stream: true, max_tokens: 30 })
    const before = (await measured(test, 'paced')).cells.length
    const responses = await Promise.all([ask(test, 'paced', body), ask(test, 'paced', body)])
    await Promise.all(responses.map(read))
    const { cells } = (await test.status('paced')).performance!
    expect(cells.length).toBeGreaterThan(before)
    expect(cells.map(({ promptBand }) => promptBand)).toContain(0)
  })

  it('does none of this as traffic', async () => {
    await test.reaches('slow', PoolState.READY)
    expect(await metricsOf(test)).not.toContain('berth_ingress_requests_total{pool_id="slow"')
    expect((await test.status('slow')).activeLeases).toBe(0)
  })

  it('is left at once when a request comes, which is served in its place', async () => {
    const { pid } = await test.reaches('slow', PoolState.READY)
    await eventually('it is being measured', async () => {
      return (await test.simState('slow')).counters.running === 1
    })
    const response = await ask(test, 'slow', chat({ max_tokens: 1 }))
    expect(response.statusCode).toBe(200)
    await read(response)
    const state = JSON.parse(await read(await send(await enginePortOf(pid), '/__sim/state'))) as {
      requests: readonly { route: string; outcome: string }[]
    }
    expect(state.requests.map(({ route, outcome }) => [route, outcome])).toEqual([
      ['/v1/completions', 'aborted'],
      [CHAT, 'done'],
    ])
  })
})

it('[002-06a] [002-14b2] [002-S2] a pool tells what it runs, on what, with how many slots', async () => {
  const dialects = ['vllm', 'llamacpp', 'ollama']
  await using test = await startTestAgent(
    nats.url,
    dialects.map((dialect) => simPool(dialect, { slots: 3 }, { dialect })),
  )
  const versions: string[] = []
  for (const dialect of dialects) {
    const pool = await eventually(`${dialect} tells its version`, async () => {
      const status = await test.status(dialect)
      return status.engineVersion !== '' && status
    })
    versions.push(pool.engineVersion)
    expect(pool).toMatchObject({
      ...{ engine: 'sim', deviceMask: ['cpu'], slotsTotal: 3, slotsFree: 3 },
      ...{ live: true, ready: true, lastError: '', activeLeases: 0 },
      models: [{ modelId: 'sim-model', activeRequests: 0 }],
    })
    expect(pool.supports!.routes).toContain(CHAT)
  }
  expect(new Set(versions).size).toBe(3)
  const { devices } = (await test.client.getHost({})).host!
  expect(devices.map(({ deviceId }) => deviceId)).toContain('cpu')
})

it('requests are counted for each model of a pool', async () => {
  await using test = await startTestAgent(nats.url, [simPool('a', {}, { tokens_per_s: 20 })])
  await test.reaches('a', PoolState.READY)
  const response = await ask(test, 'a', chat({ stream: true, max_tokens: 4_000 }))
  const active = async () => (await test.status('a')).models.map((model) => model.activeRequests)
  expect(await active()).toEqual([1])
  response.destroy()
  await eventually('it is over', async () => (await active())[0] === 0)
})

it('figures outlive the agent, so that an engine is measured once', async () => {
  await using folder = await makePoolsFolder({
    host: 'of-its-own',
    pools: [simPool('a', {}, { tokens_per_s: 500 })],
  })
  const flags = ['--stop-engines-on-exit=true', '--warm-up-tokens=8']
  const runsOf = async () => {
    const agent = startAgentProcess(folder, nats.url, flags)
    const { pid } = await agent.poolIsReady('a')
    const { performance } = await eventually('it is measured', async () => {
      const pool = await agent.status('a')
      return (pool.performance?.samples ?? 0) >= 2 && pool
    })
    const { counters } = JSON.parse(
      await read(await send(await enginePortOf(pid), '/__sim/state')),
    ) as { counters: { requests: number } }
    await agent.end('SIGTERM')
    return { requests: counters.requests, tokensPerS: performance!.tokensPerS }
  }
  const first = await runsOf()
  const second = await runsOf()
  expect(first.requests).toBe(3)
  expect(second).toEqual({ requests: 0, tokensPerS: first.tokensPerS })
})
