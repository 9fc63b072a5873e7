import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
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
import { OperationStatus, PoolState, Residency, ServiceState } from '@berth/contract'
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
import { HUB, makeFakeVllm, vllmPool, type FakeVllm } from './testing/fake-vllm.ts'

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
  await tools.set('gpus.csv', gpuTable({}, {}, {}, {}))
  vllm = await makeFakeVllm(tools.env.PATH)
})
afterEach(async () => {
  await vllm[Symbol.asyncDispose]()
  await tools[Symbol.asyncDispose]()
})

const start = (
  pools: readonly object[],
  env: Readonly<Record<string, string>> = {},
  from: { readonly PATH: string } = vllm.env,
) => startTestAgent(nats.url, pools, {}, { ...env, ...from })

/** What the process says that it was told: flags, environment, GPUs. */
interface Told {
  readonly model: string
  readonly visible_gpus: number
  readonly flags: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
}
const toldOf = async ({ status }: AgentUnderTest, poolId = 'a'): Promise<Told> => {
  const port = await enginePortOf((await status(poolId)).pid)
  return (JSON.parse(await read(await send(port, '/__sim/state'))) as { told: Told }).told
}
const ask = async (test: AgentUnderTest, modelId: string, poolId = 'a') => {
  const lease = { 'berth-lease': test.token(poolId, { modelId }) }
  const body = chat({ model: modelId, max_tokens: 8 })
  const response = await test.post('/v1/chat/completions', body, lease)
  return { status: response.statusCode, text: await read(response) }
}
const failure = async (test: AgentUnderTest, poolId = 'a') =>
  (await test.reaches(poolId, PoolState.FAILED)).lastError

describe('a vLLM of this host [003-TC-12, 001-PR-11]', () => {
  it('[003-IT-001, 003-FR-021, 003-AC-001, 003-AC-006, 001-API-3, 001-ORC-1, 003-PR-11] is started when it is down, loads its model, and serves', async () => {
    await using test = await start([vllmPool('a')], { VLLM_PORT: '9', VLLM_LOGGING_LEVEL: 'DEBUG' })
    const ready = await test.reaches('a', PoolState.READY)
    expect(ready.models).toEqual([
      expect.objectContaining({ modelId: 'acme/tiny', residency: Residency.RESIDENT }),
    ])
    const { status, text } = await ask(test, 'acme/tiny')
    expect(status).toBe(200)
    expect(JSON.parse(text)).toMatchObject({ model: 'acme/tiny', object: 'chat.completion' })
    await test.client.stop({ poolId: 'a' })
    await test.reaches('a', PoolState.STOPPED)
    await test.client.ensureHealthy({ poolId: 'a' })
    expect((await ask(test, 'acme/tiny')).status).toBe(200)
  })

  it('[003-FR-010, 003-FR-009, 003-AC-004] gets a free port by flag, and nothing of the VLLM_* of the agent', async () => {
    await using test = await start([vllmPool('a')], { VLLM_PORT: '9', VLLM_HOST_IP: '0.0.0.0' })
    await test.reaches('a', PoolState.READY)
    const { flags, env } = await toldOf(test)
    expect(flags).toMatchObject({ '--host': '127.0.0.1', '--served-model-name': 'acme/tiny' })
    expect(Number(flags['--port'])).toBeGreaterThan(1_024)
    expect(flags).not.toHaveProperty('--api-key')
    expect(
      Object.keys(env)
        .filter((name) => name.startsWith('VLLM_'))
        .sort(),
    ).toEqual([...['VLLM_API_KEY', 'VLLM_CACHE_ROOT', 'VLLM_NO_USAGE_STATS']])
    expect(env['CUDA_DEVICE_ORDER']).toBe('PCI_BUS_ID')
  })

  it('[003-IT-002, 003-FR-027, 003-AC-010, 001-API-5] is started anew with another model, once its requests have ended', async () => {
    await vllm.set({ knobs: { tokens_per_s: 40 } })
    await using test = await start([vllmPool('a')])
    const first = await test.reaches('a', PoolState.READY)
    const running = ask(test, 'acme/tiny')
    await eventually('it runs', async () => (await test.status('a')).activeLeases === 1)
    const { operation } = await test.client.reload({ poolId: 'a', newModelRef: 'acme/other' })
    expect((await running).status).toBe(200)
    await eventually('the model is changed', async () => {
      const { operations } = await test.client.listOperations({
        operationId: operation!.operationId,
      })
      return operations[0]!.status === OperationStatus.COMPLETED
    })
    const second = await test.status('a')
    expect(second).toMatchObject({ ready: true, models: [{ modelId: 'acme/other' }] })
    expect(second.pid).not.toBe(first.pid)
    expect((await toldOf(test)).model).toBe('acme/other')
    expect((await ask(test, 'acme/other')).status).toBe(200)
  })

  it('[003-IT-003] that is killed comes back and serves', async () => {
    await using test = await start([vllmPool('a')])
    const { pid } = await test.reaches('a', PoolState.READY)
    process.kill(pid, 'SIGKILL')
    const again = await eventually('another is ready', async () => {
      const pool = await test.status('a')
      return pool.ready && pool.pid !== pid && pool
    })
    expect(again.restartCount).toBe(1)
    expect((await ask(test, 'acme/tiny')).status).toBe(200)
  })

  it('[003-IT-006, 003-FR-011] is spread over the GPUs of its pool, as it sees itself', async () => {
    const pool = vllmPool('a', {
      devices: [1, 3],
      engine_options: { tensor_parallel_size: 2, gpu_memory_utilization: 0.5 },
    })
    await using test = await start([pool])
    await test.reaches('a', PoolState.READY)
    const { visible_gpus: visible, flags, env } = await toldOf(test)
    expect(visible).toBe(2)
    expect(flags).toMatchObject({ '--tensor-parallel-size': '2' })
    expect(flags).toMatchObject({ '--gpu-memory-utilization': '0.5' })
    expect(env['CUDA_VISIBLE_DEVICES']).toBe(`${gpuUuid(1)},${gpuUuid(3)}`)
  })

  it('[003-IT-007, 003-AC-032, 003-AC-033, 001-API-9, 001-API-2, 001-API-7] is told by state, pid, uptime, model, GPU, last check and restarts', async () => {
    await using test = await start([vllmPool('a')])
    await test.reaches('a', PoolState.READY)
    const pool = await eventually('a check', async () => {
      const now = await test.status('a')
      return now.engineVersion === '0.13.0' && now.lastCheck?.ok === true && now
    })
    expect(pool).toMatchObject({
      ...{ engine: 'vllm', engineVersion: '0.13.0', serviceState: ServiceState.RUNNING },
      ...{ restartCount: 0, deviceMask: ['0'], computeCapability: '8.9' },
      models: [{ modelId: 'acme/tiny' }],
    })
    expect(pool.pid).toBeGreaterThan(0)
    expect(Number(pool.upSinceMs)).toBeGreaterThan(0)
    const { models } = await test.client.listLoadedModels({ poolId: 'a' })
    expect(models.map(({ model }) => model!.modelId)).toEqual(['acme/tiny'])
  })

  it('is given no more of a GPU than is free of it [003-FR-028, 003-AC-028]', async () => {
    // 11 GiB of 22.5 are free; 1 GiB is left so.
    await tools.set('gpus.csv', gpuTable({ 'memory.free': '11517 MiB' }))
    await using test = await start([vllmPool('a')])
    await test.reaches('a', PoolState.READY)
    expect((await toldOf(test)).flags['--gpu-memory-utilization']).toBe('0.455')
  })
})

describe('the program of vLLM', () => {
  it('[003-FR-007, 001-OPT-7] may be a Python that has it', async () => {
    await using python = await makeFakeVllm(tools.env.PATH, ['python3'])
    await using test = await start([vllmPool('a')], {}, python.env)
    const { pid } = await test.reaches('a', PoolState.READY)
    const { flags } = await toldOf(test)
    expect(flags['--model']).toBe('acme/tiny')
    expect(pid).toBeGreaterThan(0)
  })

  it('may stand elsewhere than on PATH, and is told what its version knows [003-NFR-017]', async () => {
    await vllm.set({ version: '0.6.4.post1' })
    const lifecycle = { binary_path: `${vllm.dir}/vllm`, health_check_interval_s: 0.1 }
    await using test = await start([vllmPool('a', { lifecycle })], {}, tools.env)
    await test.reaches('a', PoolState.READY)
    const { flags } = await toldOf(test)
    expect(flags).toMatchObject({ '--disable-log-requests': 'true' })
    expect(flags).not.toHaveProperty('--disable-uvicorn-access-log')
  })

  it('that is not there is named with what to do, and never installed', async () => {
    await using python = await makeFakeVllm(tools.env.PATH, ['python3', 'python'])
    await python.set({ lacksVllm: true })
    await using test = await start([vllmPool('a')], {}, python.env)
    expect(await failure(test)).toMatch(
      /no vllm to run at PATH \(vllm, python3, python\).*Install vLLM on this host; Berth never/,
    )
  })

  it('that is older than 0.4.0 is refused', async () => {
    await vllm.set({ version: '0.3.3' })
    await using test = await start([vllmPool('a')])
    expect(await failure(test)).toContain('is vLLM 0.3.3, and Berth needs 0.4.0 or newer')
  })
})

describe('a vLLM that cannot start [003-TC-09, 003-TC-11]', () => {
  it('[003-IT-004, 003-FR-012, 003-AC-003] says that it finds no GPU, and starts when there is one', async () => {
    await using none = await makeFakeVllm(process.env['PATH'] ?? '')
    const lost = vllmPool('a', { devices: ['cpu'], engine_options: {} })
    const devicesOf = async (test: AgentUnderTest) =>
      (await test.client.getHost({})).host!.devices.map(({ deviceId }) => deviceId)
    {
      await using test = await start([lost], {}, none.env)
      const backoff = await test.reaches('a', PoolState.BACKOFF)
      expect(backoff.lastError).toMatch(/It finds no GPU.*nvidia-smi.*rocm-smi/)
      expect(await devicesOf(test)).toEqual(['cpu'])
    }
    await using present = await start([vllmPool('a')])
    await present.reaches('a', PoolState.READY)
    expect(await devicesOf(present)).toEqual(['cpu', '0', '1', '2', '3'])
  })

  it('[003-AC-003] on a GPU that is not there is refused with those that are', async () => {
    await expect(start([vllmPool('a', { devices: [7] })])).rejects.toThrow(
      'pools[0].devices[0]: this host has no device 7, only cpu, 0, 1, 2, 3',
    )
  })

  it('[003-UT-008] with options that do not fit is refused before, all of them named', async () => {
    const engine_options = { tensor_parallel_size: 3, gpu_memory_utilization: 0, nope: 1 }
    const pool = vllmPool('a', { devices: [0, 1], engine_options, model: 'acme/--tiny' })
    const problems = await start([pool]).then(
      () => '',
      (error: unknown) => (error as Error).message,
    )
    expect(problems).toContain('4 problems')
    expect(problems).toContain('pools[0].model: "acme/--tiny" has a part that begins')
    expect(problems).toContain('pools[0].engine_options.gpu_memory_utilization: has to be above 0')
    expect(problems).toContain('pools[0].engine_options.nope: is not an option')
    expect(problems).toContain('is 3, which does not divide the 2 devices of the pool')
  })

  it('[003-IT-005, 003-FR-014, 003-AC-011, 001-LDR-5] reads a private model with a token, and asks for one without', async () => {
    await vllm.set({ hub: { 'acme/tiny': { access: 'private', tokens: ['hf_good'] } } })
    {
      await using without = await start([vllmPool('a')])
      expect(await failure(without)).toMatch(
        /401 Client Error.*Set HF_TOKEN.*https:\/\/huggingface\.co\/acme\/tiny/,
      )
    }
    {
      await using wrong = await start([vllmPool('a')], { HF_TOKEN: 'hf_other' })
      expect(await failure(wrong)).toMatch(/no such model.*one is not found without HF_TOKEN/)
    }
    await using test = await start([vllmPool('a')], { HF_TOKEN: 'hf_good' })
    await test.reaches('a', PoolState.READY)
    expect((await toldOf(test)).env['HF_TOKEN']).toBe('<set>')
  })

  it('[003-AC-012] with a gated model tells to accept its terms', async () => {
    await vllm.set({ hub: { 'acme/tiny': { access: 'gated', tokens: ['hf_in'] } } })
    await using test = await start([vllmPool('a')], { HF_TOKEN: 'hf_out' })
    expect(await failure(test)).toContain('Accept its terms at https://huggingface.co/acme/tiny')
  })

  it('[003-FR-013, 003-AC-037, 001-LDR-4] with a model that nobody has names it and where to look', async () => {
    await using test = await start([vllmPool('a', { model: 'acme/none' })], { HF_TOKEN: 'hf_x' })
    const pool = await test.reaches('a', PoolState.FAILED)
    expect(pool.lastError).toContain('Look at https://huggingface.co/acme/none')
    await expect(test.client.ensureHealthy({ poolId: 'a' })).rejects.toThrow('acme/none')
  })

  it.each([
    [
      { hub: { ...HUB, 'acme/tiny': { architecture: 'OddForCausalLM' } } },
      /OddForCausalLM.*Upgrade vLLM/,
    ],
    [{ hub: { ...HUB, 'acme/tiny': { hasCode: true } } }, /trust_remote_code: true/],
    [
      { hub: { ...HUB, 'acme/tiny': { maxLength: 2048 } } },
      /Set context_length of the pool to 2048 or less/,
    ],
    [
      {
        lastWords: [
          "(EngineCore_DP0 pid=1) ERROR 01-01 00:00:00 [core.py:866] ValueError: To serve at least one request with the model's max seq len (4096), (4.00 GiB KV cache is needed, which is larger than the available KV cache memory (1.00 GiB). Based on the available memory, the estimated maximum model length is 1024.",
          'RuntimeError: Engine core initialization failed. See root cause above.',
        ],
      },
      /Set context_length to 1024 or less/,
    ],
  ])('for another reason says which: %#', async (world, message) => {
    await vllm.set(world)
    await using test = await start([vllmPool('a')])
    expect(await failure(test)).toMatch(message)
  })

  it('[003-UT-002, 003-FR-040] on a port that is taken names who holds it', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as AddressInfo
    await using test = await start([vllmPool('a', { lifecycle: { port } })])
    const blocked = await test.reaches('a', PoolState.BACKOFF)
    expect(blocked.lastError).toContain(`Port ${port} is held by pid ${process.pid} (`)
    holder.close()
    await test.reaches('a', PoolState.READY)
    expect(await enginePortOf((await test.status('a')).pid)).toBe(port)
  })

  it('[003-UT-009] more often in a minute than its pool allows opens the breaker', async () => {
    await vllm.set({ lastWords: ['(EngineCore pid=1) ERROR 01-01 00:00:00 [x.py:1] odd'] })
    const lifecycle = {
      ...{ health_check_interval_s: 0.1, shutdown_grace_s: 1, max_restarts_per_minute: 1 },
      backoff: { initial_ms: 1, max_ms: 1 },
    }
    await using test = await start([vllmPool('a', { lifecycle })])
    const pool = await test.reaches('a', PoolState.FAILED)
    expect(pool).toMatchObject({ restartCount: 1 })
    expect(pool.lastError).toMatch(/ended 2 times within 60 s; one more try in 300 s/)
  })

  it('[003-FR-047, 003-AC-040, 001-LDR-9] in time tells how long it waited, and to wait longer', async () => {
    await vllm.set({ knobs: { never_ready: true } })
    const lifecycle = {
      model_load_timeout_s: 0.5,
      model_load_max_retries: 0,
      shutdown_grace_s: 0.5,
    }
    await using test = await start([vllmPool('a', { lifecycle })])
    expect(await failure(test)).toMatch(
      /Not ready [\d.]+ s after the start.*raise lifecycle\.model_load_timeout_s/,
    )
  })
})
