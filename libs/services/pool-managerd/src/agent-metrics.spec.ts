import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolState } from '@berth/contract'
import { startAgentProcess, type AgentProcess } from './testing/agent-process.ts'
import {
  chat,
  read,
  send,
  startTestAgent,
  type AgentUnderTest,
} from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { makePoolsFolder, simPool, type PoolsFolder } from './testing/pools-folder.ts'

const CHAT = '/v1/chat/completions'
const QUICK = { backoff: { initial_ms: 50, max_ms: 50 }, health_check_interval_s: 0.1 }
// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let nats: NatsServer
let test: AgentUnderTest

beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
  test = await startTestAgent(nats.url, [
    simPool('crashing', { lifecycle: QUICK }),
    simPool('broken', { lifecycle: { ...QUICK, max_restarts_per_minute: 1 } }, { exit_code: 3 }),
    // Its counters are read four times within the limit of a stall.
    simPool('slow', { lifecycle: { ...QUICK, stall_timeout_s: 2 } }, { tokens_per_s: 20 }),
    simPool('silent', {}, { dialect: 'llamacpp' }),
    simPool('failing', { lifecycle: { ...QUICK, max_consecutive_failures: 100 } }),
  ])
  for (const pool of ['crashing', 'slow', 'failing']) await test.reaches(pool, PoolState.READY)
})
afterAll(async () => {
  await test[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
})

/** The sum of a series over all label sets that have these labels; 0 when there is none. */
const valueOf = async (name: string, labels: Readonly<Record<string, string>>) => {
  const text = await read(await send(test.agent.httpPort, '/metrics'))
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && wanted.every((pair) => line.includes(pair)))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}
const lease = (pool: string) => ({
  'berth-lease': test.token(pool),
  'content-type': 'application/json',
})

it('[002-03] [002-18a] [002-18a2] [002-18a3] a crash counts as what it leads to', async () => {
  const pool = { pool_id: 'crashing' }
  const series = [
    ['berth_pool_restarts_total', { ...pool, reason: 'signal' }],
    ['berth_pool_backoffs_total', pool],
    ['berth_pool_transitions_total', { ...pool, from: 'ready', to: 'crashed' }],
    ['berth_pool_transitions_total', { ...pool, from: 'starting', to: 'ready' }],
    ['berth_pool_transitions_total', { ...pool, to: 'backoff' }],
  ] as const
  const values = () => Promise.all(series.map(([name, labels]) => valueOf(name, labels)))
  const before = await values()
  const loads = await valueOf('berth_model_load_seconds_count', { engine: 'sim' })
  const { pid } = await test.status('crashing')
  process.kill(pid, 'SIGKILL')
  await eventually('another is ready', async () => {
    const status = await test.status('crashing')
    return status.ready && status.pid !== pid
  })
  expect(await values()).toEqual(before.map((value) => value + 1))
  expect(await valueOf('berth_model_load_seconds_count', { engine: 'sim' })).toBe(loads + 1)
  expect(await valueOf('berth_pool_ready', pool)).toBe(1)
})

it('[002-18c] an open breaker shows', async () => {
  await test.reaches('broken', PoolState.FAILED)
  expect(await valueOf('berth_breaker_state', { pool_id: 'broken' })).toBe(1)
  expect(await valueOf('berth_breaker_state', { pool_id: 'slow' })).toBe(0)
  expect(await valueOf('berth_pool_ready', { pool_id: 'broken' })).toBe(0)
})

it('[002-18a4] a health check that fails is counted', async () => {
  const failures = () => valueOf('berth_probe_failures_total', { pool_id: 'failing' })
  expect(await failures()).toBe(0)
  const { pid } = await test.status('failing')
  process.kill(pid, 'SIGSTOP')
  await eventually('a check fails', async () => (await failures()) > 0)
  process.kill(pid, 'SIGCONT')
})

it('[002-14b] [002-18b] [002-18b3] slots and leases show as they are', async () => {
  const now = async () => {
    const names = ['slots_total', 'slots_free', 'active_leases']
    const read = (name: string) => valueOf(`berth_pool_${name}`, { pool_id: 'slow' })
    const inflight = await valueOf('berth_ingress_inflight', { pool_id: 'slow' })
    return [...(await Promise.all(names.map(read))), inflight]
  }
  expect(await now()).toEqual([2, 2, 0, 0])
  const response = await test.post(CHAT, chat({ stream: true, max_tokens: 4_000 }), lease('slow'))
  expect(await now()).toEqual([2, 1, 1, 1])
  response.destroy()
  await eventually('it is over', async () => (await now())[1] === 2)
})

it('[001-GPM-6] what an engine says of its KV cache shows, and nothing of one that says nothing', async () => {
  const shown = async (pool: string) => {
    const text = await read(await send(test.agent.httpPort, '/metrics'))
    return text.split('\n').find((line) => {
      return line.startsWith('kv_cache_usage_ratio{') && line.includes(`pool_id="${pool}"`)
    })
  }
  const response = await test.post(CHAT, chat({ stream: true, max_tokens: 4_000 }), lease('slow'))
  await eventually('half of its cache is in use', async () =>
    (await shown('slow'))?.endsWith(' 0.5'),
  )
  expect(await shown('slow')).toMatch(/engine_version="\d/)
  expect(await shown('silent')).toBeUndefined()
  response.destroy()
})

it('[002-18c] [002-15a] what a drain refuses is counted, and how long it took', async () => {
  const refusals = () =>
    valueOf('berth_ingress_refusals_total', { pool_id: 'slow', reason: 'draining' })
  const drains = () => valueOf('berth_drain_seconds_count', { pool_id: 'slow' })
  const before = [await refusals(), await drains()]
  await test.client.drain({ poolId: 'slow' })
  expect((await test.status('slow')).draining).toBe(true)
  const response = await test.post(CHAT, chat(), lease('slow'))
  expect(response.headers['berth-refusal']).toBe('draining')
  response.resume()
  await test.client.undrain({ poolId: 'slow' })
  await test.reaches('slow', PoolState.READY)
  expect([await refusals(), await drains()]).toEqual(before.map((value) => value + 1))
})

it('[002-19a] [002-19b] the log says all of a pool that changes, and who asked for it', async () => {
  await using folder: PoolsFolder = await makePoolsFolder({
    host: 'of-its-own',
    pools: [simPool('a', { lifecycle: QUICK })],
  })
  const agent: AgentProcess = startAgentProcess(folder, nats.url, ['--stop-engines-on-exit=true'])
  const { pid } = await agent.poolIsReady('a')
  const { ingressPort } = await agent.ready()
  const headers = { 'x-correlation-id': 'asked-for-by-a-test' }
  await read(await send(ingressPort, CHAT, { body: chat(), headers }))
  await eventually(
    'its version is known',
    async () => (await agent.status('a')).engineVersion !== '',
  )
  process.kill(pid, 'SIGKILL')
  await eventually('another is ready', async () => {
    const status = await agent.status('a')
    return status.ready && status.pid !== pid
  })
  await agent.end('SIGTERM')
  const lines = agent
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const changes = lines.filter(({ msg }) => msg === 'pool changed state')
  const fields = [
    ...['pool_id', 'engine', 'engine_version', 'device_mask', 'model_id'],
    ...['restart_count', 'backoff_ms', 'last_error'],
  ]
  for (const line of changes) expect(Object.keys(line)).toEqual(expect.arrayContaining(fields))
  expect(changes.find(({ to }) => to === 'crashed')).toMatchObject({
    ...{ pool_id: 'a', engine: 'sim', model_id: 'sim-model', device_mask: ['cpu'] },
  })
  const waiting = changes.find(({ to }) => to === 'backoff')!
  expect(waiting['backoff_ms']).toBeGreaterThan(0)
  expect(waiting['last_error']).not.toBe('')
  expect(lines.find(({ msg }) => msg === 'request refused')).toMatchObject({
    correlation_id: 'asked-for-by-a-test',
    reason: 'bad_token',
  })
})
