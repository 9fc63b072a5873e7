import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
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
import { LoadPhase, PoolState } from '@berth/contract'
import { startFakeHub, type FakeHub } from '@berth/model-store/testing'
import {
  read,
  send,
  enginePortOf,
  startTestAgent,
  type AgentUnderTest,
} from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { gpuTable, makeFakeGpuTools, type FakeGpuTools } from './testing/fake-gpu-tools.ts'
import { makeFakeVllm, vllmPool, type FakeVllm } from './testing/fake-vllm.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

const small = (text: string) => ({ body: Buffer.from(text) })
let nats: NatsServer
let tools: FakeGpuTools
let vllm: FakeVllm
let hub: FakeHub
let modelsDir: string
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
  modelsDir = await mkdtemp(join(tmpdir(), 'berth-models-'))
  hub = await startFakeHub({
    'acme/tiny': {
      commit: '0123456789abcdef0123456789abcdef01234567',
      files: {
        'config.json': small('{"model_type":"llama"}'),
        'model.safetensors': small('0'.repeat(100)),
      },
    },
  })
})
afterEach(async () => {
  await hub.close()
  await rm(modelsDir, { recursive: true, force: true })
  await vllm[Symbol.asyncDispose]()
  await tools[Symbol.asyncDispose]()
})

const start = (pool: object, more: object = {}) =>
  startTestAgent(
    nats.url,
    [pool],
    { modelsDir, egressPrivate: [hub.origin, hub.storage.origin], diskHeadroomBytes: 0, ...more },
    { HF_ENDPOINT: hub.origin, ...vllm.env },
  )
interface Told {
  readonly env: Readonly<Record<string, string>>
  readonly model: string
}
const toldOf = async (test: AgentUnderTest) => {
  const { pid } = await test.reaches('a', PoolState.READY)
  const state = await read(await send(await enginePortOf(pid), '/__sim/state'))
  return (JSON.parse(state) as { readonly told: Told }).told
}
const pool = vllmPool('a', { model: 'hf:acme/tiny', model_id: 'acme/tiny' })

describe('a host without a network', () => {
  it('[003-UT-010, 002-07a] refuses a model that is not complete here, and asks nobody', async () => {
    await using test = await start(pool, { offline: true })
    const failed = await test.reaches('a', PoolState.FAILED)
    expect(failed.lastError).toMatch(/airgapped/)
    expect(failed.pid).toBe(0)
    expect(hub.requests).toHaveLength(0)
  })

  it('[003-UT-010] refuses what vLLM would fetch by itself as well', async () => {
    await using test = await start(vllmPool('a', { model: 'acme/tiny', airgapped: true }))
    const failed = await test.reaches('a', PoolState.FAILED)
    expect(failed.lastError).toMatch(/airgapped/)
    expect(hub.requests).toHaveLength(0)
  })

  it('serves a model that was fetched before, and tells the engine to ask nobody', async () => {
    {
      await using online = await start(pool)
      await online.reaches('a', PoolState.READY)
    }
    const asked = hub.requests.length
    await using test = await start({ ...pool, airgapped: true })
    const { env, model } = await toldOf(test)
    expect(env).toMatchObject({ HF_HUB_OFFLINE: '1', TRANSFORMERS_OFFLINE: '1' })
    expect(model).toContain(modelsDir)
    expect(hub.requests).toHaveLength(asked)
  })
})

describe('a load that takes long', () => {
  it('goes on for as long as it comes further, beyond its timeout', async () => {
    await vllm.set({ knobs: { load_ms: 5_000, load_line_ms: 50 } })
    const lifecycle = {
      model_load_timeout_s: 2,
      health_check_interval_s: 0.1,
      shutdown_grace_s: 1,
    }
    await using test = await start({ ...pool, lifecycle })
    const half = await eventually('half of it is loaded', async () => {
      const { loading } = await test.status('a')
      return loading?.phase === LoadPhase.WEIGHTS && loading.progressPercent > 30 && loading
    })
    expect(half.modelId).toBe('acme/tiny')
    const ready = await test.reaches('a', PoolState.READY)
    expect(ready.restartCount).toBe(0)
  })
})
