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
import { LedgerState, PoolState } from '@berth/contract'
import { sparseGguf, writeGgufImage } from '@berth/model-files'
import { startTestAgent, type AgentUnderTest } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { gpuTable, gpuUuid, makeFakeGpuTools, type FakeGpuTools } from './testing/fake-gpu-tools.ts'
import {
  llamaPool,
  makeFakeLlamaServer,
  type FakeLlamaServer,
} from './testing/fake-llama-server.ts'
import { makePoolsFolder, type PoolsFolder } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(120_000)

const MIB = 1_048_576
/** A GPU that holds one of these models, and not two. */
const TOTAL_MIB = 1_600

let nats: NatsServer
let tools: FakeGpuTools
let server: FakeLlamaServer
let files: PoolsFolder
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})
beforeEach(async () => {
  tools = await makeFakeGpuTools()
  await freeIs(TOTAL_MIB)
  server = await makeFakeLlamaServer({
    // Long enough for a test to say what the driver shows of it.
    loadMs: 1_500,
    lines: ['load_tensors:        CUDA0 model buffer size =    60.00 MiB'],
  })
  files = await makePoolsFolder({})
  await writeGgufImage(join(files.dir, 'm.gguf'), sparseGguf(SHAPE))
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  await tools[Symbol.asyncDispose]()
  await files[Symbol.asyncDispose]()
})

const SHAPE = {
  ...({ architecture: 'llama', blocks: 4, dim: 1_024, heads: 8 } as const),
  ...{ kvHeads: 2, keyLength: 128, feedForward: 2_048 },
}

const freeIs = (mib: number) =>
  tools.set(
    'gpus.csv',
    gpuTable({ 'memory.total': `${TOTAL_MIB} MiB`, 'memory.free': `${mib} MiB` }),
  )
const appsAre = (...apps: readonly (readonly [pid: number, mib: number])[]) =>
  tools.set('apps.csv', apps.map(([pid, mib]) => `${gpuUuid(0)}, ${pid}, ${mib}\n`).join(''))
const pool = (id: string, more: object = {}) => ({
  ...llamaPool(server, id, `file:${join(files.dir, 'm.gguf')}`),
  devices: [0],
  ...more,
})
const start = (pools: readonly object[], more: object = {}) =>
  startTestAgent(nats.url, pools, more, tools.env)
const ledgerOf = async ({ client }: AgentUnderTest, deviceId = '0') =>
  (await client.getHost({})).host!.ledger.find((device) => device.deviceId === deviceId)!
/** The engine has taken so much, and the driver shows it. */
const takes = async (test: AgentUnderTest, poolId: string, mib: number) => {
  const pid = await eventually('it has a process', async () => {
    return (await test.status(poolId)).pid || undefined
  })
  await appsAre([pid, mib])
  await freeIs(TOTAL_MIB - mib)
  return await eventually('what it took is booked', async () => {
    const { entries } = await ledgerOf(test)
    return entries.find((entry) => entry.poolId === poolId && entry.observedBytes !== undefined)
  })
}

describe('the memory of a GPU', () => {
  it('[000-T023, 000-T032] is booked before a start; a second pool that does not fit is told the figures', async () => {
    await using test = await start([pool('a')])
    await takes(test, 'a', 700)
    await test.folder.write({ host: 'h1', pools: [pool('a'), pool('b')] })
    const error = await eventually('b is refused', async () => {
      const status = await test.status('b').catch(() => undefined)
      return status?.lastError.includes('GPU memory') && status.lastError
    })
    expect(error).toMatch(/GPU 0 needs 0\.\d GiB and has 0\.\d of 1\.6 GiB to give, 0\.3 of them/)
    expect(error).toContain('Held by pool a (0.7 GiB)')
    expect(error).toMatch(/ berth models fit \S+\.gguf --pool b shows the arithmetic\./)
    expect((await test.status('a')).state).toBe(PoolState.READY)
    expect(await server.starts()).toBe(1)
  })

  it('[000-T014, 003-AC-031] shows estimate, what is used and what is free in the snapshot', async () => {
    await using test = await start([pool('a')])
    const entry = await takes(test, 'a', 700)
    expect(entry).toMatchObject({
      ...{ modelId: 'm', state: LedgerState.OBSERVED, correction: 1 },
      observedBytes: BigInt(700 * MIB),
    })
    const ledger = await eventually('the free memory is seen', async () => {
      const seen = await ledgerOf(test)
      return seen.measuredFreeBytes === BigInt(900 * MIB) && seen
    })
    expect(ledger).toMatchObject({
      totalBytes: BigInt(TOTAL_MIB * MIB),
      availableBytes: BigInt(900 * MIB),
    })
    const [model] = (await test.status('a')).models
    expect(model).toMatchObject({
      ...{ memoryBytes: BigInt(700 * MIB), gpuBytes: BigInt(700 * MIB) },
      dimensions: { layers: 4, kvHeads: 2, keyDim: 128 },
    })
  })

  it('[000-T059] comes back before the next start: it waits until it is seen free', async () => {
    await using test = await start([pool('a')])
    await takes(test, 'a', 900)
    const first = (await test.status('a')).pid
    await test.client.restart({ poolId: 'a' })
    await eventually('the next start waits', async () => {
      const { state, stateReason } = await test.status('a')
      return state === PoolState.PREPARING && stateReason.startsWith('waiting for the memory')
    })
    expect((await ledgerOf(test)).entries).toMatchObject([{ state: LedgerState.RELEASING }])
    expect(await server.starts()).toBe(1)
    await appsAre()
    await freeIs(TOTAL_MIB)
    expect((await test.reaches('a', PoolState.READY)).pid).not.toBe(first)
  })

  it('[000-T059] that does not come back is told with who holds it, after the deadline', async () => {
    await using test = await start([pool('a')], { vramReleaseTimeoutMs: 1_000 })
    await takes(test, 'a', 900)
    await test.client.restart({ poolId: 'a' })
    await appsAre([4_242, 900])
    const error = await eventually('the start is refused', async () => {
      const { lastError } = await test.status('a')
      return lastError.includes('did not come back') && lastError
    })
    expect(error).toContain('process 4242 (0.9 GiB)')
  })

  it('is estimated by what was observed: at the second load', async () => {
    await using test = await start([pool('a')])
    const first = await takes(test, 'a', 800)
    await appsAre()
    await freeIs(TOTAL_MIB)
    await test.client.restart({ poolId: 'a' })
    const again = await eventually('it is booked anew', async () => {
      const { entries } = await ledgerOf(test)
      return entries.find(({ correction }) => correction !== 1)
    })
    expect(again.correction).toBeGreaterThan(1)
    expect(again.reservedBytes).toBeGreaterThan(first.reservedBytes)
    expect(Number(again.reservedBytes) / (1.1 * 800 * MIB)).toBeCloseTo(1, 2)
  })

  it('is estimated by what an earlier life of the agent observed', async () => {
    const stateDir = join(files.dir, 'state')
    {
      await using test = await start([pool('a')], { stateDir })
      expect(await takes(test, 'a', 800)).toMatchObject({ correction: 1 })
    }
    await appsAre()
    await freeIs(TOTAL_MIB)
    await using test = await start([pool('a')], { stateDir })
    const [entry] = await eventually('it is booked', async () => {
      const { entries } = await ledgerOf(test)
      return entries.length > 0 && entries
    })
    expect(entry!.correction).toBeGreaterThan(1)
  })
})

it('what a model takes is told by FitModel, and a pool keeps what it has', async () => {
  await using test = await start([pool('a')])
  await takes(test, 'a', 700)
  const fit = await test.client.fitModel({ poolId: 'a', modelRef: '' })
  expect(fit).toMatchObject({ modelId: 'm', fits: true, basis: "the header of the model's files" })
  const names = fit.terms.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['weights', 'kv_cache', 'overhead']))
  const sum = fit.terms.reduce((total, { bytes }) => total + Number(bytes), 0)
  const [device] = fit.devices
  const needed = (sum - Number(fit.hostBytes)) * fit.correction * 1.1
  expect(Number(device!.requiredBytes) / needed).toBeCloseTo(1, 3)
  const refusalOf = (modelRef: string) =>
    test.client.fitModel({ poolId: 'a', modelRef }).then(
      () => 'none',
      (error: unknown) => (error as Error).message,
    )
  expect(await refusalOf('file:none.gguf')).toMatch(
    /^There is no file \/\S+\/none\.gguf on this host\. Copy it there, or name a model that can be fetched, such as hf:Qwen\/Qwen3-8B-GGUF:Q4_K_M\.$/,
  )
  expect(await refusalOf('hf:acme/none-GGUF:Q4_0')).toBe(
    'The files of hf:acme/none-GGUF:Q4_0 are not on this host yet, and what a model takes is read ' +
      'from its files. Fetch them first: berth models pull hf:acme/none-GGUF:Q4_0',
  )
  expect((await test.status('a')).lastError).toBe('')
  expect((await test.status('a')).state).toBe(PoolState.READY)
})
