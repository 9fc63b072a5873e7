import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
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
import { OperationStatus, PoolState } from '@berth/contract'
import {
  chat,
  enginePortOf,
  read,
  send,
  startTestAgent,
  type AgentUnderTest,
} from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { gpuTable, makeFakeGpuTools, type FakeGpuTools } from './testing/fake-gpu-tools.ts'
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

const start = (more: object = {}) => startTestAgent(nats.url, [vllmPool('a', more)], {}, vllm.env)
const ask = async (test: AgentUnderTest, modelId: string) => {
  const lease = { 'berth-lease': test.token('a', { modelId }) }
  const response = await test.post(
    '/v1/chat/completions',
    chat({ model: modelId, max_tokens: 16 }),
    lease,
  )
  await read(response)
  return response.statusCode
}
const ended = ({ client }: AgentUnderTest, operationId: string | undefined) =>
  eventually('the operation ends', async () => {
    const { operations } = await client.listOperations({ operationId: operationId! })
    return operations[0]?.completedAtMs !== undefined && operations[0]
  })

interface Told {
  readonly model: string
  readonly env: Readonly<Record<string, string>>
}

const COMMIT = '0123456789abcdef0123456789abcdef01234567'
/** A whole snapshot, as the Hub's own client leaves one; returns its folder. */
const carryIn = async (modelsDir: string): Promise<string> => {
  const repository = join(modelsDir, 'hub', 'models--acme--tiny')
  const snapshot = join(repository, 'snapshots', COMMIT)
  await mkdir(join(repository, 'refs'), { recursive: true })
  await mkdir(snapshot, { recursive: true })
  await writeFile(join(repository, 'refs', 'main'), COMMIT)
  const header = Buffer.from('{"w":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}')
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  const weights = Buffer.concat([length, header, Buffer.alloc(4)])
  await writeFile(join(snapshot, 'model.safetensors'), weights)
  await writeFile(join(snapshot, 'config.json'), '{"model_type":"llama"}')
  await writeFile(join(snapshot, 'tokenizer.json'), '{}')
  return snapshot
}

describe('adapters of a vLLM that runs', () => {
  it('are loaded beside its model, serve under their own name, and go again', async () => {
    await using test = await start({ engine_options: { enable_lora: true } })
    const folder = join(test.folder.dir, 'sql')
    await mkdir(folder)
    await writeFile(join(folder, 'adapter_config.json'), '{}')
    const { pid } = await test.reaches('a', PoolState.READY)
    const adapter = { poolId: 'a', modelRef: `file:${folder}`, modelId: 'sql' }
    const { operation } = await test.client.loadModel(adapter)
    const done = await ended(test, operation?.operationId)
    expect([done.status, done.errorMessage]).toEqual([OperationStatus.COMPLETED, ''])
    const { models } = await test.status('a')
    expect(models.map(({ modelId, parentModelId }) => [modelId, parentModelId])).toEqual([
      ['acme/tiny', ''],
      ['sql', 'acme/tiny'],
    ])
    expect([await ask(test, 'sql'), await ask(test, 'acme/tiny')]).toEqual([200, 200])
    const unload = await test.client.unloadModel({ poolId: 'a', modelId: 'sql' })
    expect((await ended(test, unload.operation?.operationId)).status).toBe(
      OperationStatus.COMPLETED,
    )
    const after = await test.status('a')
    expect(after.models.map(({ modelId }) => modelId)).toEqual(['acme/tiny'])
    expect(after.pid).toBe(pid)
  })

  it('that are not there fail with the reason of the engine', async () => {
    await using test = await start({ engine_options: { enable_lora: true } })
    await test.reaches('a', PoolState.READY)
    const none = { poolId: 'a', modelRef: 'file:none', modelId: 'none' }
    const { operation } = await test.client.loadModel(none)
    const done = await ended(test, operation?.operationId)
    expect(done).toMatchObject({ status: OperationStatus.FAILED, errorReason: 'MODEL_NOT_FOUND' })
    expect(done.errorMessage).toContain('No adapter found')
  })
})

describe('the model of a vLLM', () => {
  it('[003-FR-027, 003-AC-010] is not changed under requests unless they are given time to end', async () => {
    await vllm.set({ knobs: { tokens_per_s: 20 } })
    await using test = await start()
    await test.reaches('a', PoolState.READY)
    const running = ask(test, 'acme/tiny')
    await eventually('it runs', async () => (await test.status('a')).activeLeases === 1)
    const other = { poolId: 'a', modelRef: 'acme/other' }
    await expect(test.client.loadModel(other)).rejects.toMatchObject({ reason: 'ACTIVE_REQUESTS' })
    const { operation } = await test.client.loadModel({ ...other, deadlineMs: 10_000 })
    expect(await running).toBe(200)
    const done = await ended(test, operation?.operationId)
    expect([done.status, done.errorMessage]).toEqual([OperationStatus.COMPLETED, ''])
    expect((await test.status('a')).models[0]!.modelId).toBe('acme/other')
  })

  it('[003-FR-005, 003-FR-021] is the one that EnsureHealthy asks for when it answers, or it says why not', async () => {
    await using test = await start()
    await test.reaches('a', PoolState.READY)
    const ensured = await test.client.ensureHealthy({ poolId: 'a', modelRef: 'acme/other' })
    expect(ensured.pool).toMatchObject({ ready: true, models: [{ modelId: 'acme/other' }] })
    const { pid } = ensured.pool!
    const again = await test.client.ensureHealthy({ poolId: 'a', modelRef: 'acme/other' })
    expect(again.pool!.pid).toBe(pid)
    const none = test.client.ensureHealthy({ poolId: 'a', modelRef: 'acme/none' })
    await expect(none).rejects.toThrow('huggingface.co/acme/none')
    expect(await test.reaches('a', PoolState.READY)).toMatchObject({
      models: [{ modelId: 'acme/other' }],
    })
  })

  it('[003-UT-010, 003-FR-024, 003-AC-013, 001-LDR-6] comes from its cache where nothing may be fetched, and is refused when it is not there', async () => {
    const modelsDir = join(vllm.dir, 'models')
    const snapshot = await carryIn(modelsDir)
    const pools = [vllmPool('a'), vllmPool('b', { model: 'acme/other' })]
    const env = { ...vllm.env, HF_TOKEN: 'hf_secret' }
    await using test = await startTestAgent(nats.url, pools, { offline: true, modelsDir }, env)
    const { pid } = await test.reaches('a', PoolState.READY)
    const state = await read(await send(await enginePortOf(pid), '/__sim/state'))
    const { told } = JSON.parse(state) as { told: Told }
    expect(told.model).toBe(snapshot)
    expect(told.env).toMatchObject({ HF_HUB_OFFLINE: '1', TRANSFORMERS_OFFLINE: '1' })
    const refused = await test.reaches('b', PoolState.FAILED)
    expect(refused.lastError).toMatch(/Nothing may be fetched.*acme\/other.*is not complete/)
  })
})
