import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { OperationStatus, OperationType, PoolState } from '@berth/contract'
import {
  chat,
  enginePortOf,
  read,
  send,
  startTestAgent,
  type AgentUnderTest,
} from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { gpuTable, gpuUuid, makeFakeGpuTools, type FakeGpuTools } from './testing/fake-gpu-tools.ts'
import { makeFakeVllm, vllmPool, type FakeVllm } from './testing/fake-vllm.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let nats: NatsServer
let tools: FakeGpuTools
let vllm: FakeVllm
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})
beforeEach(async () => {
  tools = await makeFakeGpuTools()
  await tools.set('gpus.csv', gpuTable({}))
  vllm = await makeFakeVllm(tools.env.PATH)
})
afterEach(async () => {
  await vllm[Symbol.asyncDispose]()
  await tools[Symbol.asyncDispose]()
})

const SLEEPY = { engine_options: { enable_sleep_mode: true } }
const start = (more: object = SLEEPY) =>
  startTestAgent(nats.url, [vllmPool('a', more)], {}, vllm.env)
/** The driver shows what the engine holds. */
const holds = (pid: number, mib: number) => tools.set('apps.csv', `${gpuUuid(0)}, ${pid}, ${mib}\n`)
const ended = ({ client }: AgentUnderTest, operationId: string) =>
  eventually('the operation ends', async () => {
    const [operation] = (await client.listOperations({ operationId })).operations
    return operation!.completedAtMs !== undefined && operation
  })
const isSleeping = async (pid: number) =>
  read(await send(await enginePortOf(pid), '/is_sleeping')).then((body) => body.includes('true'))
const fallAsleep = async (test: AgentUnderTest, pid: number) => {
  await holds(pid, 18_000)
  const { operation } = await test.client.sleep({ poolId: 'a' })
  await eventually('it was asked to sleep', () => isSleeping(pid))
  return operation!
}

describe('an engine that is put to sleep', () => {
  it('takes nothing and shows it, gives its memory back, and serves again when it is woken', async () => {
    await using test = await start()
    const { pid } = await test.reaches('a', PoolState.READY)
    const { operationId, type } = await fallAsleep(test, pid)
    expect(type).toBe(OperationType.SLEEP)
    await holds(pid, 900)
    expect((await ended(test, operationId)).status).toBe(OperationStatus.COMPLETED)
    expect(await test.status('a')).toMatchObject({ isAsleep: true, ready: false, pid })
    const lease = { 'berth-lease': test.token('a', { modelId: 'acme/tiny' }) }
    const refused = await test.post('/v1/chat/completions', chat({ model: 'acme/tiny' }), lease)
    expect(refused.statusCode).toBe(503)
    await expect(test.client.undrain({ poolId: 'a' })).rejects.toThrow('berth pools wake a')

    const woken = await test.client.wake({ poolId: 'a' })
    const done = await ended(test, woken.operation!.operationId)
    expect(done.status).toBe(OperationStatus.COMPLETED)
    expect(await test.reaches('a', PoolState.READY)).toMatchObject({ isAsleep: false, pid })
    expect(await isSleeping(pid)).toBe(false)
  })

  it('and keeps its memory is woken at once, and is not asked again', async () => {
    await using test = await start()
    const { pid } = await test.reaches('a', PoolState.READY)
    const { operationId } = await fallAsleep(test, pid)
    const done = await ended(test, operationId)
    expect(done.status).toBe(OperationStatus.FAILED)
    expect(done.errorMessage).toMatch(/Sleep did not work: it still holds 18874368000 of/)
    expect(await test.reaches('a', PoolState.READY)).toMatchObject({ isAsleep: false, pid })
    expect(await isSleeping(pid)).toBe(false)
    await expect(test.client.sleep({ poolId: 'a' })).rejects.toThrow('Sleep does not work here')
  })

  it('where nobody can measure it stays awake', async () => {
    await using test = await start()
    const { pid } = await test.reaches('a', PoolState.READY)
    const { operation } = await test.client.sleep({ poolId: 'a' })
    const done = await ended(test, operation!.operationId)
    expect(done.errorMessage).toContain('nobody can tell what it holds of its GPU')
    expect(await test.reaches('a', PoolState.READY)).toMatchObject({ isAsleep: false, pid })
  })

  it('and killed in its sleep comes back awake', async () => {
    await using test = await start()
    const { pid } = await test.reaches('a', PoolState.READY)
    const { operationId } = await fallAsleep(test, pid)
    await tools.set('apps.csv', '')
    await ended(test, operationId)
    process.kill(pid, 'SIGKILL')
    const again = await eventually('another is ready', async () => {
      const pool = await test.status('a')
      return pool.ready && pool.pid !== pid && pool
    })
    expect(again.isAsleep).toBe(false)
  })

  it('has to be started for it', async () => {
    await using test = await start({})
    await test.reaches('a', PoolState.READY)
    await expect(test.client.sleep({ poolId: 'a' })).rejects.toThrow('enable_sleep_mode: true')
    await expect(test.client.wake({ poolId: 'a' })).rejects.toMatchObject({
      reason: 'UNSUPPORTED_OPERATION',
    })
  })
})
