import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { LoadPhase, OperationStatus, PoolState, Residency } from '@berth/contract'
import { chat, read } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { makeFakeOllama } from './testing/fake-ollama.ts'
import { LONG, startOllama } from './testing/ollama-under-test.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let nats: NatsServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

const GIB = 1024n ** 3n

describe('a model of a pool of Ollama', () => {
  it('[000-T021][000-FR-006][000-FR-030][000-T025][000-T027] is pulled, loaded and seen in /api/ps, then served', async () => {
    await using ollama = await makeFakeOllama({ load_ms: 50 })
    await using at = await startOllama(nats.url, ollama, { model: 'm1' })
    const ready = await at.test.reaches('a', PoolState.READY)
    expect(ready).toMatchObject({
      ...{ isMultiModel: true, engine: 'ollama' },
      supports: { modelLifecycle: true, resourceMonitoring: true },
    })
    const shown = await at.reaches('m1', Residency.RESIDENT)
    expect(shown).toMatchObject({ modelRef: 'm1', expiresAtMs: 0n, quantization: 'Q4_K_M' })
    expect(shown.digest).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(await at.resident()).toEqual(['m1:latest'])
    const served = await at.ask('m1')
    expect(served.status).toBe(200)
    await served.body
  })

  it('[001-API-6][001-MLP-1][001-MLP-2][001-MLP-3][001-MLP-4][001-MLP-6][001-MLP-7][001-MLP-8][001-MLP-10] shows how far it is, to its end', async () => {
    await using ollama = await makeFakeOllama({ pull_ms: 2_500, load_ms: 700 })
    await using at = await startOllama(nats.url, ollama)
    await at.test.reaches('a', PoolState.READY)
    const { last, loads, steps } = await at.load('m2')
    expect(last).toMatchObject({ status: OperationStatus.COMPLETED, modelId: 'm2', modelRef: 'm2' })
    expect(steps).toEqual(expect.arrayContaining(['download', 'load']))
    const pulling = loads.filter(({ phase }) => phase === LoadPhase.DOWNLOAD)
    const told = pulling.filter(({ totalBytes }) => totalBytes === GIB)
    expect(told.length).toBeGreaterThan(1)
    expect(told.every(({ isProgressKnown, modelId }) => isProgressKnown && modelId === 'm2')).toBe(
      true,
    )
    const percents = loads.map(({ progressPercent }) => progressPercent)
    expect(percents).toEqual(percents.toSorted((a, b) => a - b))
    const end = loads.at(-1)!
    expect(end).toMatchObject({ phase: LoadPhase.READY, progressPercent: 100, errorReason: '' })
    expect(end.completedAtMs! >= end.startedAtMs).toBe(true)
    expect(loads[0]!.completedAtMs).toBeUndefined()
    expect((await at.pool()).loading).toBeUndefined()
  })

  it('is pulled on when the connection is cut in the middle', async () => {
    await using ollama = await makeFakeOllama({ pull_ms: 200, pull_cut_percent: 60 })
    await using at = await startOllama(nats.url, ollama)
    await at.test.reaches('a', PoolState.READY)
    const { last, loads } = await at.load('m2')
    expect(last.status).toBe(OperationStatus.COMPLETED)
    const bytes = loads.flatMap(({ bytesDownloaded }) => bytesDownloaded ?? [])
    expect(bytes).toEqual(bytes.toSorted((a, b) => (a < b ? -1 : 1)))
    expect(bytes.at(-1)).toBe(GIB)
  })

  it('[001-MLP-11] fails with the reason that a pull told after its 200', async () => {
    const error = 'digest mismatch, file must be downloaded again'
    await using ollama = await makeFakeOllama({ pull_error: error, absent_models: ['nowhere'] })
    await using at = await startOllama(nats.url, ollama)
    await at.test.reaches('a', PoolState.READY)
    const broken = await at.load('m2')
    const failed = { status: OperationStatus.FAILED, errorReason: 'MODEL_LOAD_FAILED' }
    expect(broken.last).toMatchObject(failed)
    expect(broken.last.errorMessage).toContain(error)
    expect(broken.last.errorMessage).toContain(`536870912 of ${GIB} bytes`)
    expect(broken.loads.at(-1)).toMatchObject({
      ...{ phase: LoadPhase.FAILED, errorReason: 'model_invalid' },
    })
    const absent = await at.load('nowhere')
    expect(absent.last).toMatchObject({ ...failed, errorReason: 'MODEL_NOT_FOUND' })
    // A command that failed leaves nothing behind.
    expect((await at.pool()).models).toEqual([])
  })

  it('that never comes into memory ends in its deadline, with the facts', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1'], never_ready: true })
    // The daemon itself has to start within it, on a machine that may be busy.
    const lifecycle = { model_load_timeout_s: 5 }
    await using at = await startOllama(nats.url, ollama, { lifecycle })
    await at.test.reaches('a', PoolState.READY)
    const loading = at.load('m1')
    await at.reaches('m1', Residency.LOADING)
    const { last, loads } = await loading
    expect(last).toMatchObject({
      ...{ status: OperationStatus.FAILED, errorReason: 'MODEL_LOAD_FAILED' },
    })
    expect(last.errorMessage).toMatch(/m1: it is not in memory after [\d.]+ s.*Its last line: "/)
    expect(loads.at(-1)).toMatchObject({ errorReason: 'start_timeout' })
    await at.reaches('m1', Residency.ON_DISK)
    // The daemon gave it up as well.
    await eventually('it is nowhere', async () => (await at.resident()).length === 0)
    expect((await at.pool()).loading).toBeUndefined()
  })

  it('is given up after the tries of the pool when the engine has no memory for it', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1'], oom: true })
    const lifecycle = { model_load_max_retries: 1, backoff: { initial_ms: 50 } }
    await using at = await startOllama(nats.url, ollama, { model: 'm1', lifecycle })
    await at.reaches('m1', Residency.FAILED)
    const refused = await at.ask('m1')
    expect(refused.refusal).toBe('not_ready')
    // The daemon is well all the while.
    expect(await at.pool()).toMatchObject({ ready: true, restartCount: 0 })
    const { last, loads } = await at.load('m1')
    expect(last.errorMessage).toContain('cudaMalloc failed: out of memory')
    expect(loads.at(-1)!.errorReason).toBe('out_of_vram')
  })
})

describe('a pool of several models', () => {
  it('serves two at once, and counts the requests of each', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1', 'm2'], tokens_per_s: 40 })
    await using at = await startOllama(nats.url, ollama, { model: 'm1' })
    await at.reaches('m1', Residency.RESIDENT)
    await at.load('m2:latest')
    // As they were asked for, whatever the daemon calls them.
    await at.reaches('m2:latest', Residency.RESIDENT)
    const [one, other] = await Promise.all([at.ask('m1', LONG), at.ask('m2', LONG)])
    expect([one.status, other.status]).toEqual([200, 200])
    const { models, activeLeases } = await at.pool()
    expect(activeLeases).toBe(2)
    const counts = models.map(({ modelId, activeRequests }) => [modelId, activeRequests])
    expect(Object.fromEntries(counts)).toEqual({ m1: 1, 'm2:latest': 1 })
  })

  it('[001-API-7] lists what is loaded, and not what is only on disk', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1', 'm2', 'm3'], cpu_bytes: 1_000 })
    await using at = await startOllama(nats.url, ollama, { model: 'm1' })
    await at.reaches('m1', Residency.RESIDENT)
    await at.reaches('m3', Residency.ON_DISK)
    await at.load('m2')
    const { models } = await at.test.client.listLoadedModels({ poolId: 'a' })
    expect(models.map(({ model }) => model?.modelId)).toEqual(['m1', 'm2'])
    // Part of it runs on the CPU.
    expect(models[0]!.model).toMatchObject({ memoryBytes: GIB + 1_000n, gpuBytes: GIB })
  })

  it('lets no request to a model that is not in memory, and so loads none behind its back', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1', 'm2'] })
    await using at = await startOllama(nats.url, ollama, { model: 'm1' })
    await at.reaches('m1', Residency.RESIDENT)
    for (const modelId of ['m2', 'unheard-of'])
      expect((await at.ask(modelId)).refusal).toBe('not_ready')
    expect(await at.resident()).toEqual(['m1:latest'])
    // Nor by a body that names another model than its lease.
    const { test } = at
    for (const path of ['/v1/chat/completions', '/v1/embeddings']) {
      const lease = { 'berth-lease': test.token('a', { modelId: 'm1' }) }
      const answer = await test.post(path, { ...chat({ input: 'x' }), model: 'm2' }, lease)
      expect(JSON.parse(await read(answer))).toMatchObject({ model: 'm1' })
    }
    expect(await at.resident()).toEqual(['m1:latest'])
  })

  it('[001-API-5] carries out one load at a time, and one for all who ask for the same', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1', 'm2'], load_ms: 1_000 })
    await using at = await startOllama(nats.url, ollama)
    await at.test.reaches('a', PoolState.READY)
    const { client } = at.test
    const ask = (modelRef: string) => client.loadModel({ poolId: 'a', modelRef })
    const [first, same] = await Promise.all([ask('m1'), ask('m1')])
    expect(same.operation?.operationId).toBe(first.operation?.operationId)
    await expect(ask('m2')).rejects.toMatchObject({ reason: 'OPERATION_IN_PROGRESS' })
    await at.reaches('m1', Residency.RESIDENT)
  })

  it('waits for the model that EnsureHealthy names', async () => {
    await using ollama = await makeFakeOllama({ load_ms: 100, absent_models: ['nowhere'] })
    await using at = await startOllama(nats.url, ollama, { model: 'm1' })
    const { client } = at.test
    await at.test.reaches('a', PoolState.READY)
    await client.stop({ poolId: 'a' })
    await at.test.reaches('a', PoolState.STOPPED)
    await Promise.all(
      ['m1', 'm2', 'm2'].map((modelRef) => client.ensureHealthy({ poolId: 'a', modelRef })),
    )
    expect(await at.resident()).toEqual(['m1:latest', 'm2:latest'])
    const absent = client.ensureHealthy({ poolId: 'a', modelRef: 'nowhere' })
    await expect(absent).rejects.toMatchObject({ reason: 'MODEL_NOT_FOUND' })
  })

  it('is not restarted to change a model', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1', 'm2'] })
    await using at = await startOllama(nats.url, ollama, { model: 'm1' })
    await at.reaches('m1', Residency.RESIDENT)
    const reloading = at.test.client.reload({ poolId: 'a', newModelRef: 'm2' })
    await expect(reloading).rejects.toMatchObject({ reason: 'UNSUPPORTED_OPERATION' })
    expect(await at.resident()).toEqual(['m1:latest'])
  })

  it('refuses one more than the daemon holds, which would cost another', async () => {
    await using ollama = await makeFakeOllama({ models: ['m1', 'm2'] })
    const engineOptions = { models_dir: ollama.modelsDir, max_loaded_models: 1 }
    await using at = await startOllama(nats.url, ollama, {
      ...{ model: 'm1', engine_options: engineOptions },
    })
    await at.reaches('m1', Residency.RESIDENT)
    await expect(at.load('m2')).rejects.toMatchObject({ reason: 'INSUFFICIENT_VRAM' })
    expect(await at.resident()).toEqual(['m1:latest'])
  })

  it.each(['--help', '../../etc/passwd', 'a b', 'https://evil.test/x/y/z'])(
    'refuses to load %j',
    async (modelRef) => {
      await using ollama = await makeFakeOllama()
      await using at = await startOllama(nats.url, ollama)
      await at.test.reaches('a', PoolState.READY)
      await expect(at.load(modelRef)).rejects.toMatchObject({ reason: 'INVALID_PARAMS' })
    },
  )
})

it('a pools file that names a model of Ollama as no name of its own is refused', async () => {
  await using ollama = await makeFakeOllama()
  const wrong = { model: 'hf:owner/name', model_id: 'mine' }
  const starting = startOllama(nats.url, ollama, wrong)
  await expect(starting).rejects.toThrow(/pools\[0\]\.model: .*own names[^]*model_id: .*own names/)
})
