import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { connectBus, subjects } from '@berth/bus'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import {
  DrainDeadline,
  OperationStatus,
  PoolManagerService,
  PoolState,
  type HostSnapshot,
  type Operation,
  type Pool,
} from '@berth/contract'
import { createClient } from '@berth/rpc'
import { createSilentLogger } from '@berth/runtime'
import { startAgentProcess } from './testing/agent-process.ts'
import { chat, read, startTestAgent, type AgentUnderTest } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { isAlive } from './testing/is-alive.ts'
import { makePoolsFolder, simPool } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let nats: NatsServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

const quick = { lifecycle: { health_check_interval_s: 0.2, shutdown_grace_s: 1 } }
const start = (knobs: object = {}): Promise<AgentUnderTest> =>
  startTestAgent(nats.url, [simPool('a', quick, { broken_model: 'broken', ...knobs })])

/** Asks for a reload and waits for its end. */
const reload = async (
  { client }: Pick<AgentUnderTest, 'client'>,
  newModelRef: string,
  more: { deadlineMs?: number; onDeadline?: DrainDeadline } = {},
): Promise<Operation> => {
  const { operation } = await client.reload({ poolId: 'a', newModelRef, ...more })
  const { operationId } = operation!
  let last = operation!
  for await (const seen of client.watchOperation({ operationId })) last = seen.operation!
  return last
}
const ask = async (test: AgentUnderTest, modelId: string, body: object = {}) => {
  const token = test.token('a', { modelId })
  const answer = await test.post(
    '/v1/chat/completions',
    { ...chat({ max_tokens: 4, ...body }), model: modelId },
    { 'berth-lease': token, 'content-type': 'application/json' },
  )
  return { status: answer.statusCode, refusal: answer.headers['berth-refusal'], answer }
}

describe.each(['vllm', 'llamacpp', 'ollama'])('[002-36] a %s engine', (dialect) => {
  it('[002-03][002-11b][002-28b2][003-IT-002] serves another model after a reload, and the old one after one that failed', async () => {
    await using test = await start({ dialect })
    const before = await test.reaches('a', PoolState.READY)
    const done = await reload(test, 'next')
    expect(done).toMatchObject({ status: OperationStatus.COMPLETED, modelId: 'next' })
    const after = await test.status('a')
    expect(after).toMatchObject({ ready: true, models: [{ modelId: 'next' }] })
    expect(isAlive(before.pid)).toBe(false)

    const failed = await reload(test, 'broken')
    expect(failed).toMatchObject({
      ...{ status: OperationStatus.FAILED, rolledBack: true, errorReason: 'MODEL_LOAD_FAILED' },
    })
    expect(failed.errorMessage).toContain("failed to load model, 'broken'")
    const back = await test.status('a')
    expect(back).toMatchObject({ ready: true, poolId: 'a', deviceMask: before.deviceMask })
    expect(back.models.map(({ modelId }) => modelId)).toEqual(['next'])
    const served = await ask(test, 'next')
    expect(served.status).toBe(200)
    await read(served.answer)
  })
})

describe('[002-11b] during a reload', () => {
  it('[002-15a] the ingress refuses as draining, and leases of the old model for good', async () => {
    await using test = await start({ tokens_per_s: 40 })
    await test.reaches('a', PoolState.READY)
    const running = await ask(test, 'sim-model', { max_tokens: 40, stream: true, ignore_eos: true })
    const reloading = reload(test, 'next', { deadlineMs: 20_000 })
    await test.reaches('a', PoolState.DRAINING)
    expect(await ask(test, 'sim-model')).toMatchObject({ refusal: 'draining' })
    expect(await read(running.answer)).toContain('data: [DONE]')
    expect(await reloading).toMatchObject({ status: OperationStatus.COMPLETED })
    expect(await ask(test, 'sim-model')).toMatchObject({ refusal: 'wrong_model' })
    const served = await ask(test, 'next')
    expect(served.status).toBe(200)
    await read(served.answer)
  })

  it('no snapshot says ready but of an engine that serves the model it names', async () => {
    await using bus = await connectBus({ url: nats.url, name: 't', log: createSilentLogger() })
    const pools: Pool[] = []
    await using test = await start({ load_ms: 300 })
    const epoch = BigInt(test.agent.epoch)
    bus.watchLatest(subjects.hostSnapshot('h1'), (snapshot: HostSnapshot) => {
      if (snapshot.epoch === epoch) pools.push(snapshot.pools[0]!)
    })
    const { instanceId: old } = await test.reaches('a', PoolState.READY)
    await reload(test, 'broken')
    await reload(test, 'next')
    const { instanceId: last } = await test.status('a')
    await eventually('the last engine is published', () =>
      pools.some(({ ready, instanceId }) => ready && instanceId === last),
    )
    const ready = pools.filter((pool) => pool.ready)
    expect(ready.filter(({ draining, state }) => draining || state !== PoolState.READY)).toEqual([])
    expect(ready.filter(({ loading }) => loading !== undefined)).toEqual([])
    const served = ready.map(({ instanceId, models }) => {
      const which = instanceId === old ? 'old' : instanceId === last ? 'last' : 'between'
      return `${which}: ${models.map(({ modelId }) => modelId).join(' ')}`
    })
    expect(new Set(served)).toEqual(new Set(['old: sim-model', 'between: sim-model', 'last: next']))
    const steps = pools.flatMap(({ currentOperation }) => currentOperation?.step || [])
    expect(steps).toEqual(expect.arrayContaining(['probe', 'roll_back']))
  })

  it('its progress is told at most twice a second, its end at once', async () => {
    await using bus = await connectBus({ url: nats.url, name: 't', log: createSilentLogger() })
    const told: Operation[] = []
    bus.subscribe(subjects.event('operation_changed', 'h1'), (event) => {
      if (event.kind.case === 'operationChanged') told.push(event.kind.value.operation!)
    })
    await using test = await start()
    await test.reaches('a', PoolState.READY)
    const done = await reload(test, 'next')
    const own = await eventually('its end is told', () => {
      const mine = told.filter(({ operationId }) => operationId === done.operationId)
      return mine.some(({ completedAtMs }) => completedAtMs !== undefined) && mine
    })
    const tookMs = Number(done.completedAtMs! - done.initiatedAtMs)
    expect(own.length).toBeLessThanOrEqual(2 + Math.ceil(tookMs / 500))
  })

  it('an agent that is killed serves the old model in its next life, with no engine left over', async () => {
    const pool = simPool('a', quick, { load_ms: 3_000 })
    await using folder = await makePoolsFolder({ host: 'h1', pools: [pool] })
    const first = startAgentProcess(folder, nats.url)
    await first.poolIsReady('a')
    const address = `127.0.0.1:${(await first.ready()).grpcPort}`
    using client = createClient(PoolManagerService, { address, defaultDeadlineMs: 15_000 })
    await client.reload({ poolId: 'a', newModelRef: 'next' })
    const loading = await eventually('the new engine loads', async () => {
      const now = await first.status('a')
      return now.state === PoolState.STARTING && now.pid > 0 && now
    })
    await first.end('SIGKILL')
    const second = startAgentProcess(folder, nats.url, ['--stop-engines-on-exit=true'])
    const after = await second.poolIsReady('a')
    expect(after.models[0]).toMatchObject({ modelId: 'sim-model' })
    expect(isAlive(loading.pid)).toBe(false)
    await second.end('SIGTERM')
  })
})

describe('a model that a reload put in place', () => {
  it('is written down when it serves, and not when it failed', async () => {
    await using test = await start()
    await test.reaches('a', PoolState.READY)
    const kept = async () => {
      const text = await readFile(join(test.folder.stateDir, 'models.json'), 'utf8')
      return JSON.parse(text) as unknown
    }
    await reload(test, 'next')
    const entry = { poolId: 'a', written: 'sim-model', model: 'next' }
    expect(await kept()).toEqual([entry])
    await reload(test, 'broken')
    expect(await kept()).toEqual([entry])
    await reload(test, '')
    expect(await kept()).toEqual([])
    expect(await test.status('a')).toMatchObject({ models: [{ modelId: 'sim-model' }] })
  })

  it.each([
    ['file:/etc/passwd', 'model_root'],
    ['file:../up.gguf', 'model_root'],
    ['-x', 'names no model'],
    ['hf:', 'names no model'],
  ])('cannot be %s', async (newModelRef, why) => {
    await using test = await start()
    await test.reaches('a', PoolState.READY)
    await expect(test.client.reload({ poolId: 'a', newModelRef })).rejects.toMatchObject({
      ...{ reason: 'INVALID_PARAMS', message: expect.stringContaining(why) as unknown },
    })
    expect(await test.status('a')).toMatchObject({ ready: true })
  })
})

describe('[002-28b2] the deadline of a reload', () => {
  it('ends what still runs, or leaves the original running', async () => {
    await using test = await start({ tokens_per_s: 20 })
    const { instanceId } = await test.reaches('a', PoolState.READY)
    const endless = { max_tokens: 4_000, stream: true, ignore_eos: true }
    const running = await ask(test, 'sim-model', endless)
    const aborted = await reload(test, 'next', { deadlineMs: 100, onDeadline: DrainDeadline.ABORT })
    expect(aborted).toMatchObject({ errorReason: 'ACTIVE_REQUESTS', rolledBack: false })
    expect(await test.status('a')).toMatchObject({ ready: true, instanceId, activeLeases: 1 })
    const broken = expect(read(running.answer)).rejects.toThrow()
    expect(await reload(test, 'next', { deadlineMs: 100 })).toMatchObject({
      status: OperationStatus.COMPLETED,
    })
    await broken
  })
})
