import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { OperationStatus, OperationType, PoolState } from '@berth/contract'
import { chat, read, startTestAgent, type AgentUnderTest } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { isAlive } from './testing/is-alive.ts'
import { follow, LONG } from './testing/ollama-under-test.ts'
import { simPool } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let nats: NatsServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

const quick = { lifecycle: { health_check_interval_s: 0.1, shutdown_grace_s: 1 } }
const start = async (knobs: object = {}): Promise<AgentUnderTest> => {
  const test = await startTestAgent(nats.url, [simPool('a', quick, knobs)])
  await test.reaches('a', PoolState.READY)
  return test
}
const ask = (test: AgentUnderTest, body: object) =>
  test.post('/v1/chat/completions', chat(body), {
    'berth-lease': test.token('a'),
    'content-type': 'application/json',
  })
const unload = async ({ client }: AgentUnderTest, more: object = {}) =>
  follow(
    client,
    (await client.unloadModel({ poolId: 'a', modelId: 'sim-model', ...more })).operation,
  )

describe('[000-N-4] an engine of one model', () => {
  it('loads another model by a restart', async () => {
    await using test = await start()
    const { operation } = await test.client.loadModel({ poolId: 'a', modelRef: 'next' })
    expect(operation?.type).toBe(OperationType.RELOAD)
    expect((await follow(test.client, operation)).last.status).toBe(OperationStatus.COMPLETED)
    expect((await test.status('a')).models).toMatchObject([{ modelId: 'next' }])
  })

  it('unloads its model by a stop, and loads it again by a start', async () => {
    await using test = await start()
    const { pid } = await test.status('a')
    const { last } = await unload(test)
    expect(last).toMatchObject({ type: OperationType.UNLOAD, status: OperationStatus.COMPLETED })
    expect(isAlive(pid)).toBe(false)
    expect((await test.status('a')).state).toBe(PoolState.STOPPED)
    const { operation } = await test.client.loadModel({ poolId: 'a' })
    expect((await follow(test.client, operation)).last.status).toBe(OperationStatus.COMPLETED)
    expect(await test.status('a')).toMatchObject({ ready: true, draining: false })
  })

  it('is not unloaded under requests that nobody said may be ended', async () => {
    await using test = await start({ tokens_per_s: 40 })
    const running = await ask(test, LONG)
    await expect(unload(test)).rejects.toMatchObject({
      ...{ reason: 'ACTIVE_REQUESTS', facts: { active_requests: 1 } },
    })
    const { last } = await unload(test, { deadlineMs: 200 })
    expect(last).toMatchObject({
      ...{ status: OperationStatus.FAILED, errorReason: 'ACTIVE_REQUESTS' },
    })
    // It takes requests as before.
    expect(await test.status('a')).toMatchObject({ ready: true, draining: false })
    expect(running.complete).toBe(false)
    running.destroy()
  })

  it('is unloaded once its requests have ended, and takes new ones after its next start', async () => {
    await using test = await start({ tokens_per_s: 40 })
    const running = await ask(test, { max_tokens: 40, stream: true, ignore_eos: true })
    const unloading = unload(test, { deadlineMs: 20_000 })
    await test.reaches('a', PoolState.DRAINING)
    expect(await read(running)).toContain('data: [DONE]')
    expect((await unloading).last.status).toBe(OperationStatus.COMPLETED)
    await test.client.start({ poolId: 'a' })
    await test.reaches('a', PoolState.READY)
  })

  it('is unloaded at once by force', async () => {
    await using test = await start({ tokens_per_s: 40 })
    const running = await ask(test, LONG)
    const body = read(running)
    body.catch(() => undefined)
    const { last } = await unload(test, { isForced: true })
    expect(last.status).toBe(OperationStatus.COMPLETED)
    await expect(body).rejects.toThrow()
  })

  it('has only the one model to unload', async () => {
    await using test = await start()
    await expect(unload(test, { modelId: 'another' })).rejects.toMatchObject({
      reason: 'MODEL_NOT_FOUND',
    })
  })
})

it.each(['monitored', 'external'])('[000-N-4] %s: neither is ours to do', async (mode) => {
  const pool = { id: 'a', engine: 'openai', mode, model: 'm', url: 'http://127.0.0.1:9' }
  await using test = await startTestAgent(nats.url, [pool])
  await eventually('the pool is there', async () => (await test.status('a')).poolId === 'a')
  const refused = { reason: 'UNSUPPORTED_OPERATION' }
  const loading = test.client.loadModel({ poolId: 'a', modelRef: 'next' })
  await expect(loading).rejects.toMatchObject(refused)
  const unloading = test.client.unloadModel({ poolId: 'a', modelId: 'm' })
  await expect(unloading).rejects.toMatchObject(refused)
})
