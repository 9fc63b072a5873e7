import { createHash, randomBytes } from 'node:crypto'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { getuid } from 'node:process'
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
import { LoadPhase, OperationStatus, OperationType, PoolState } from '@berth/contract'
import { tinyGguf } from '@berth/model-files'
import { startFakeHub, type FakeHub } from '@berth/model-store/testing'
import { startAgentProcess } from './testing/agent-process.ts'
import { startTestAgent } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { gpuTable, makeFakeGpuTools } from './testing/fake-gpu-tools.ts'
import {
  llamaPool,
  makeFakeLlamaServer,
  type FakeLlamaServer,
} from './testing/fake-llama-server.ts'
import { makePoolsFolder, simPool } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

const COMMIT = '0123456789abcdef0123456789abcdef01234567'
const TOKEN = 'hf_abcdefghijklmnopqrstuvwxyz0123'
const REF = 'hf:acme/tiny-GGUF'

/** A real GGUF, as bytes. */
const ggufBytes = (): Buffer => {
  const { sizeBytes, pieces } = tinyGguf()
  const whole = Buffer.alloc(sizeBytes)
  for (const { offset, bytes } of pieces) Buffer.from(bytes).copy(whole, offset)
  return whole
}
const MODEL = ggufBytes()
const shaOf = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

let nats: NatsServer
let hub: FakeHub
let server: FakeLlamaServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})
beforeEach(async () => {
  const file = { body: MODEL, isLarge: true, etag: '"one"' }
  hub = await startFakeHub({
    'acme/tiny-GGUF': { commit: COMMIT, files: { 'tiny-Q4_0.gguf': file } },
  })
  server = await makeFakeLlamaServer()
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  await hub.close()
})

const hosts = () => [hub.origin, hub.storage.origin]
const start = (pools: readonly object[], more: object = {}, env: Record<string, string> = {}) =>
  startTestAgent(
    nats.url,
    pools,
    { egressPrivate: hosts(), diskHeadroomBytes: 0, ...more },
    { HF_ENDPOINT: hub.origin, ...env },
  )
/** Half of the file comes, and the rest when `go` is called. */
const halfway = () => {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const file = hub.repositories['acme/tiny-GGUF']!.files['tiny-Q4_0.gguf']!
  Object.assign(file, { pause: promise, pauseAfterBytes: MODEL.length / 2 })
  return { go: () => resolve(undefined) }
}
const fetched = (id: string, more: object = {}) => llamaPool(server, id, REF, more)

describe('a model that is fetched for a pool', () => {
  it('[002-07a, 001-ST-2, 001-MLP-3, 001-MLP-4, 001-MLP-6, 001-MLP-8] shows in snapshot and operation how it comes, loads, warms up and serves', async () => {
    await server[Symbol.asyncDispose]()
    server = await makeFakeLlamaServer({ loadMs: 2_000 })
    const { go } = halfway()
    await using test = await start([fetched('a')])
    const seen = (phase: LoadPhase) =>
      eventually(`phase ${phase}`, async () => {
        const { pools } = (await test.client.getHost({})).host!
        return pools.find(({ loading }) => loading?.phase === phase)
      })
    const coming = await eventually('some of it is here', async () => {
      const pool = await seen(LoadPhase.DOWNLOAD)
      return Number(pool.loading?.bytesDownloaded) > 0 && pool
    })
    expect(coming).toMatchObject({ state: PoolState.PREPARING, pid: 0 })
    expect(coming.stateReason).toMatch(/^(downloading|fetching) /)
    expect(coming.loading).toMatchObject({
      ...{ modelId: 'acme/tiny-GGUF', isProgressKnown: true, totalBytes: BigInt(MODEL.length) },
    })
    expect(coming.loading?.completedAtMs).toBeUndefined()
    const { operation } = await test.client.start({ poolId: 'a' })
    go()
    const loading = await seen(LoadPhase.WEIGHTS)
    expect(loading).toMatchObject({
      state: PoolState.STARTING,
      stateReason: 'the engine process runs',
    })
    const warming = await seen(LoadPhase.GRAPHS)
    expect(warming.loading!.progressPercent).toBeGreaterThan(loading.loading!.progressPercent)
    const ready = await test.reaches('a', PoolState.READY)
    expect(ready.loading).toBeUndefined()
    const { operations } = await test.client.listOperations({ operationId: operation!.operationId })
    expect(operations[0]).toMatchObject({
      ...{ type: OperationType.START, status: OperationStatus.COMPLETED },
      load: { phase: LoadPhase.READY, progressPercent: 100, totalBytes: BigInt(MODEL.length) },
    })
    expect(operations[0]?.load?.completedAtMs).toBeDefined()
    expect((await server.told()).modelBytes).toBe(MODEL.length)
  })

  it('[002-07a] is fetched once for two pools', async () => {
    await using test = await start([fetched('a'), fetched('b')])
    await test.reaches('a', PoolState.READY)
    await test.reaches('b', PoolState.READY)
    expect(hub.storage.requests).toHaveLength(1)
    const { models, disk } = await test.client.listModelFiles({})
    expect(models).toMatchObject([
      {
        ...{ modelRef: REF, isComplete: true, revision: COMMIT, poolIds: ['a', 'b'] },
        ...{ sizeBytes: BigInt(MODEL.length), digest: shaOf(MODEL), architecture: 'llama' },
      },
    ])
    expect(disk).toMatchObject({ models: 1, modelsBytes: BigInt(MODEL.length) })
    expect(disk!.freeBytes).toBeGreaterThan(0n)
    expect(disk!.root).toBe(join(test.folder.stateDir, 'models'))
  })

  it('[002-07a] goes on where it was when the agent is killed meanwhile', async () => {
    const { go } = halfway()
    await using folder = await makePoolsFolder({ host: 'h1', pools: [fetched('a')] })
    const env = { HF_ENDPOINT: hub.origin }
    const flags = ['--egress-private', hosts().join(','), '--disk-headroom-bytes', '0']
    const first = startAgentProcess(folder, nats.url, [...flags, '--stop-engines-on-exit'], env)
    await eventually('some of it is here', async () => {
      const { loading } = await first.status('a')
      return Number(loading?.bytesDownloaded) > 0
    })
    await first.end('SIGKILL')
    go()
    const second = startAgentProcess(folder, nats.url, [...flags, '--stop-engines-on-exit'], env)
    await second.poolIsReady('a')
    const [whole, rest] = hub.storage.requests
    expect(whole?.headers.range ?? 'bytes=0-').toBe('bytes=0-')
    expect(Number(/^bytes=(\d+)-$/.exec(rest?.headers.range ?? '')?.[1])).toBeGreaterThan(0)
    expect((await server.told()).modelBytes).toBe(MODEL.length)
    await second.end('SIGTERM')
  })

  it('is read by an engine that is not root', async () => {
    await using folder = await makePoolsFolder({ host: 'h1', pools: [fetched('a')] })
    await chmod(folder.dir, 0o755)
    const flags = ['--egress-private', hosts().join(','), '--disk-headroom-bytes', '0']
    const agent = startAgentProcess(folder, nats.url, [...flags, '--stop-engines-on-exit'], {
      HF_ENDPOINT: hub.origin,
    })
    await agent.poolIsReady('a')
    const { env, modelBytes } = await server.told()
    expect(modelBytes).toBe(MODEL.length)
    expect(env['USER']).toBe(getuid?.() === 0 ? 'berth-10002' : process.env['USER'])
    await agent.end('SIGTERM')
  })

  it('[002-07b] never serves with another digest than the pools file wants', async () => {
    const digest = `sha256:${'0'.repeat(64)}`
    await using test = await start([{ ...fetched('a'), digest }])
    const failed = await test.reaches('a', PoolState.FAILED)
    expect(failed.lastError).toContain('0'.repeat(64))
    expect(await server.starts()).toBe(0)
  })

  it('that is no model is refused before anything is started', async () => {
    const broken = Buffer.concat([Buffer.from('GGUF'), randomBytes(5_000)])
    hub.repositories['acme/tiny-GGUF']!.files['tiny-Q4_0.gguf'] = { body: broken, isLarge: true }
    await using test = await start([fetched('a')])
    const failed = await test.reaches('a', PoolState.FAILED)
    expect(failed.lastError).toContain('cannot be used')
    expect(failed.transitions.map(({ to }) => to)).toEqual([PoolState.PREPARING, PoolState.FAILED])
    expect(await server.starts()).toBe(0)
  })

  it('that does not fit the disk says how much it takes and how much there is', async () => {
    await using test = await start([fetched('a')], { diskHeadroomBytes: 2 ** 52 })
    const failed = await eventually('it was refused', async () => {
      const pool = await test.status('a')
      return pool.lastError !== '' && pool
    })
    expect(failed.lastError).toMatch(/disk|free/i)
    expect(failed.lastError).toMatch(/\d/)
    expect(await server.starts()).toBe(0)
  })

  it('[002-11b] is fetched for a reload while the old engine stays up', async () => {
    const local = 'file:local.gguf'
    await using test = await start([simPool('z')])
    await writeFile(join(test.folder.dir, 'local.gguf'), MODEL)
    await test.folder.write({ host: 'h1', pools: [llamaPool(server, 'a', local)] })
    const { pid } = await eventually('the pool serves', async () => {
      const { pools } = (await test.client.getHost({})).host!
      return pools.find((pool) => pool.poolId === 'a' && pool.ready)
    })
    const { go } = halfway()
    const { operation } = await test.client.reload({ poolId: 'a', newModelRef: REF })
    const staging = await eventually('it comes', async () => {
      const pool = await test.status('a')
      return Number(pool.loading?.bytesDownloaded) > 0 && pool
    })
    expect(staging).toMatchObject({ pid, state: PoolState.DRAINING })
    expect(staging.currentOperation).toMatchObject({
      ...{ type: OperationType.RELOAD, load: { phase: LoadPhase.DOWNLOAD } },
    })
    go()
    const done = await eventually('the reload is over', async () => {
      const { operations } = await test.client.listOperations({
        operationId: operation!.operationId,
      })
      return operations[0]?.completedAtMs !== undefined && operations[0]
    })
    expect(done).toMatchObject({
      ...{ status: OperationStatus.COMPLETED, load: { phase: LoadPhase.READY } },
    })
    const { argv } = await server.told()
    expect(argv[argv.indexOf('--alias') + 1]).toBe('acme/tiny-GGUF')
  })
})

describe('an engine that goes on without the GPU it was given', () => {
  it('is ended as a device error while it loads, and serves nothing', async () => {
    await server[Symbol.asyncDispose]()
    const line = 'warning: no usable GPU found, --gpu-layers option will be ignored'
    server = await makeFakeLlamaServer({ loadMs: 5_000, lines: [line] })
    await using tools = await makeFakeGpuTools()
    await tools.set('gpus.csv', gpuTable({}))
    await using test = await start([{ ...fetched('a'), devices: [0] }], {}, tools.env)
    const told = await eventually('it was ended', async () => {
      const pool = await test.status('a')
      return pool.lastError !== '' && pool
    })
    expect(told.lastError).toContain('The engine runs on the CPU although the pool has 0')
    expect(told.transitions.map(({ to }) => to)).not.toContain(PoolState.READY)
    expect(told.transitions.map(({ to }) => to)).toContain(PoolState.CRASHED)
  })
})

describe('a model that needs a token', () => {
  beforeEach(() => {
    hub.repositories['acme/tiny-GGUF']!.token = TOKEN
  })

  it('[003-FR-014, 003-AC-011] is fetched with that of the token file, which the engine is given and no log shows', async () => {
    await server[Symbol.asyncDispose]()
    server = await makeFakeLlamaServer({ lines: [`using token ${TOKEN}`] })
    await using folder = await makePoolsFolder({ host: 'h1', pools: [fetched('a')] })
    const tokenFile = join(folder.dir, 'token')
    await writeFile(tokenFile, `${TOKEN}\n`)
    const flags = ['--egress-private', hosts().join(','), '--disk-headroom-bytes', '0']
    const agent = startAgentProcess(
      folder,
      nats.url,
      [...flags, '--hf-token-file', tokenFile, '--stop-engines-on-exit'],
      { HF_ENDPOINT: hub.origin },
    )
    await agent.poolIsReady('a')
    expect((await server.told()).env['HF_TOKEN']).toBe(TOKEN)
    using client = await agent.client()
    const lines: string[] = []
    for await (const batch of client.tailLog({ poolId: 'a', lines: 100 }))
      lines.push(...batch.lines)
    expect(lines).toContain('using token [redacted]')
    await agent.end('SIGTERM')
    expect(agent.output()).not.toContain(TOKEN)
  })

  it('[003-FR-045, 003-AC-039] is refused without one, naming HF_TOKEN', async () => {
    await using test = await start([fetched('a')], {}, { HF_TOKEN: '' })
    const failed = await test.reaches('a', PoolState.FAILED)
    expect(failed.lastError).toContain('HF_TOKEN')
    expect(await server.starts()).toBe(0)
  })
})

describe('the model files of a host', () => {
  const ended = (test: Awaited<ReturnType<typeof start>>, operationId: string) =>
    eventually('the pull is over', async () => {
      const { operations } = await test.client.listOperations({ operationId })
      return operations[0]?.completedAtMs !== undefined && operations[0]
    })

  it('are pulled by command, one download for all who ask, and removed again', async () => {
    const { go } = halfway()
    await using test = await start([simPool('z')])
    const pull = () => test.client.pullModel({ modelRef: REF })
    const first = (await pull()).operation!
    expect(first).toMatchObject({
      ...{
        type: OperationType.PULL,
        status: OperationStatus.IN_PROGRESS,
        hostId: 'h1',
        poolId: '',
      },
      ...{ modelRef: REF, modelId: 'acme/tiny-GGUF' },
    })
    const again = await eventually('it comes', async () => {
      const { operation } = await pull()
      return Number(operation?.load?.bytesDownloaded) > 0 && operation
    })
    expect(again.operationId).toBe(first.operationId)
    expect(again.progressPercent).toBeGreaterThan(0)
    go()
    const done = await ended(test, first.operationId)
    expect(done).toMatchObject({
      ...{ status: OperationStatus.COMPLETED, progressPercent: 100 },
      load: { phase: LoadPhase.READY, isProgressKnown: true },
    })
    await eventually('the snapshot shows it', async () => {
      const { modelDisk } = (await test.client.getHost({})).host!
      return modelDisk?.models === 1 && modelDisk.modelsBytes === BigInt(MODEL.length)
    })
    const { freedBytes } = await test.client.removeModel({ modelRef: REF })
    expect(freedBytes).toBe(BigInt(MODEL.length))
    expect((await test.client.listModelFiles({})).models).toEqual([])
  })

  it('that are on their way are given up when they are removed', async () => {
    halfway()
    await using test = await start([simPool('z')])
    const { operation } = await test.client.pullModel({ modelRef: REF })
    await eventually('it comes', async () => {
      const { operations } = await test.client.listOperations({
        operationId: operation!.operationId,
      })
      return Number(operations[0]?.load?.bytesDownloaded) > 0
    })
    await test.client.removeModel({ modelRef: REF })
    const given = await ended(test, operation!.operationId)
    expect(given).toMatchObject({
      ...{ status: OperationStatus.CANCELLED, load: { phase: LoadPhase.FAILED } },
    })
    expect((await test.client.listModelFiles({})).models).toEqual([])
  })

  it('are not removed while a pool needs them, however that spells them', async () => {
    await using test = await start([fetched('a')])
    await test.reaches('a', PoolState.READY)
    for (const modelRef of [REF, `${REF}@main`])
      await expect(test.client.removeModel({ modelRef })).rejects.toMatchObject({
        ...{ reason: 'ACTIVE_REQUESTS', facts: { pool_id: 'a', pools: 1 } },
      })
  })

  it('that cannot be had end their pull with the reason', async () => {
    await using test = await start([simPool('z')])
    const { operation } = await test.client.pullModel({ modelRef: 'hf:acme/none' })
    const failed = await ended(test, operation!.operationId)
    expect(failed.status).toBe(OperationStatus.FAILED)
    expect(failed.load).toMatchObject({ phase: LoadPhase.FAILED, errorReason: failed.errorReason })
    await expect(test.client.pullModel({ modelRef: '' })).rejects.toMatchObject({
      reason: 'INVALID_PARAMS',
    })
    // Of these not even a name is left to tell of.
    const nameless = ['hf:', 'hf:@main', 'https://', 'oci:', 'file:/']
    // Nor do these become the name of an operation, which others print.
    const hostile = [
      '--help',
      'hf:--help',
      'hf:acme/tiny\n--flag',
      'hf:acme/\u001b[2J',
      '../x.gguf',
    ]
    for (const modelRef of [...nameless, ...hostile])
      await expect(test.client.pullModel({ modelRef })).rejects.toMatchObject({
        reason: 'INVALID_PARAMS',
      })
    await expect(test.client.removeModel({ modelRef: '' })).rejects.toMatchObject({
      reason: 'INVALID_PARAMS',
    })
    const digest = 'md5:1'
    await expect(test.client.pullModel({ modelRef: REF, digest })).rejects.toMatchObject({
      reason: 'INVALID_PARAMS',
    })
  })
})
