import { describe, expect, it } from '@jest/globals'
import {
  LoadPhase,
  OperationStatus,
  OperationType,
  type CommandHostRequest,
  type CommandPoolRequest,
} from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { startGateway } from '../testing/gateway-rig.ts'
import { startScriptedCore, type CoreScript } from '../testing/scripted-core.ts'

const start = async (script: Partial<CoreScript>) => {
  const core = await startScriptedCore({ onAcquire: () => undefined, ...script })
  const gateway = await startGateway([core.address])
  return {
    ...gateway,
    get: async (path: string) => (await fetch(gateway.url + path)).json(),
    delete: (path: string) => fetch(gateway.url + path, { method: 'DELETE' }),
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]()
      await core[Symbol.asyncDispose]()
    },
  }
}

const DISK = { root: '/m', totalBytes: 100n, freeBytes: 60n, modelsBytes: 30n, models: 1 }
const FILES = {
  ...{ modelRef: 'hf:org/name', path: '/m/hf/x.gguf', sizeBytes: 30n, revision: 'abc' },
  ...{ isComplete: false, bytesDownloaded: 10n, poolIds: ['a'], architecture: 'llama' },
  ...{ quantization: 'Q4_0', parameters: 8_000_000_000n, contextLength: 4_096 },
}
const PULL = {
  ...{ operationId: 'o1', type: OperationType.PULL, status: OperationStatus.IN_PROGRESS },
  ...{ modelRef: 'hf:org/name', hostId: 'h1', initiatedAtMs: 1_000n },
  load: {
    ...{ modelId: 'org/name', progressPercent: 33.333, phase: LoadPhase.DOWNLOAD, etaMs: 20n },
    ...{ bytesDownloaded: 10n, totalBytes: 30n, isProgressKnown: true, startedAtMs: 1_000n },
  },
}

describe('GET /v1/model-files', () => {
  it('lists the files of every host with its disk, and names the hosts that are silent', async () => {
    await using gateway = await start({
      onListModelFiles: (hostId) => ({
        hosts: [{ hostId: hostId || 'h1', models: [FILES], disk: DISK }],
        silentHosts: ['h2'],
      }),
    })
    expect(await gateway.get('/v1/model-files')).toEqual({
      object: 'list',
      data: [
        {
          ...{ object: 'host_models', host_id: 'h1' },
          disk: { root: '/m', total_bytes: 100, free_bytes: 60, models_bytes: 30, models: 1 },
          models: [
            {
              ...{ model_ref: 'hf:org/name', path: '/m/hf/x.gguf', size_bytes: 30, digest: null },
              ...{ revision: 'abc', complete: false, bytes_downloaded: 10, last_used_at: null },
              ...{ pool_ids: ['a'], architecture: 'llama', quantization: 'Q4_0' },
              ...{ parameters: 8_000_000_000, context_length: 4_096 },
            },
          ],
        },
      ],
      silent_hosts: ['h2'],
    })
    expect(await gateway.get('/v1/model-files?host=h3')).toMatchObject({
      data: [{ host_id: 'h3' }],
    })
    expect(await gateway.get('/v1/hosts/h4/models')).toMatchObject({ data: [{ host_id: 'h4' }] })
  })
})

describe('POST /v1/hosts/{id}/models/pull', () => {
  it('is answered with the operation and how far it has come', async () => {
    const asked: CommandHostRequest[] = []
    await using gateway = await start({
      onCommandHost: (request) => {
        asked.push(request)
        return { hostId: 'h1', operation: { hostId: 'h1', operation: PULL } }
      },
    })
    const digest = `sha256:${'a'.repeat(64)}`
    const body = { model_ref: 'hf:org/name', digest }
    const answer = await gateway.post('/v1/hosts/h1/models/pull', body)
    expect(answer.status).toBe(202)
    expect(answer.headers.get('location')).toBe('/v1/operations/o1')
    expect(await answer.json()).toMatchObject({
      ...{ operation_type: 'pull', status: 'in_progress', backend_id: null, host_id: 'h1' },
      load: {
        ...{ model_id: 'org/name', status: 'download', progress_percent: 33.3, eta_ms: 20 },
        ...{ bytes_downloaded: 10, total_bytes: 30, is_progress_known: true, completed_at: null },
      },
    })
    expect(asked).toMatchObject([
      { hostId: 'h1', command: { case: 'pull', value: { modelRef: 'hf:org/name', digest } } },
    ])
    expect(asked[0]!.idempotencyKey).not.toBe('')
  })

  it.each([
    [{}, 'model_ref'],
    [{ model_ref: 'm', digest: 'sha256:12' }, 'digest'],
    [{ model_ref: 'm', force: true }, 'force'],
  ])('%j is refused with the name of the field', async (body, param) => {
    await using gateway = await start({})
    const answer = await gateway.post('/v1/hosts/h1/models/pull', body)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: { code: 'INVALID_PARAMS', param } })
  })

  it('says that a disk is too small as 507', async () => {
    await using gateway = await start({
      onCommandHost: () => {
        throw new BerthError('INSUFFICIENT_DISK', 'No room.', { facts: { free_bytes: 5 } })
      },
    })
    const answer = await gateway.post('/v1/hosts/h1/models/pull', { model_ref: 'm' })
    expect(answer.status).toBe(507)
    expect(await answer.json()).toMatchObject({
      error: { code: 'INSUFFICIENT_DISK', free_bytes: 5, retriable: false },
    })
  })
})

describe('DELETE /v1/hosts/{id}/models', () => {
  it('says what it freed, and wants to know of which model', async () => {
    const asked: CommandHostRequest[] = []
    await using gateway = await start({
      onCommandHost: (request) => (asked.push(request), { hostId: 'h1', freedBytes: 30n }),
    })
    const ref = encodeURIComponent('hf:org/name:x.gguf')
    const answer = await gateway.delete(`/v1/hosts/h1/models?ref=${ref}`)
    expect(await answer.json()).toEqual({
      ...{ object: 'model_files.removed', host_id: 'h1', model_ref: 'hf:org/name:x.gguf' },
      freed_bytes: 30,
    })
    expect(asked).toMatchObject([{ command: { case: 'remove' } }])
    const without = await gateway.delete('/v1/hosts/h1/models')
    expect(without.status).toBe(400)
    expect(await without.json()).toMatchObject({ error: { param: 'ref' } })
    expect(asked).toHaveLength(1)
  })
})

describe('POST /v1/models/fit', () => {
  it('explains the figure term by term for each pool, and which pools cannot say', async () => {
    const terms = [{ name: 'weights', bytes: 70n, formula: 'as the file says' }]
    const devices = [{ deviceId: '0', requiredBytes: 80n, availableBytes: 50n, headroomBytes: 9n }]
    const fit = {
      ...{ modelId: 'm', fits: false, reason: 'Too large.', terms, devices, requiredBytes: 80n },
      ...{ correction: 1.05, basis: 'header', evictableModelIds: ['old'] },
    }
    await using gateway = await start({
      onFitModel: () => ({
        fits: [
          { hostId: 'h', poolId: 'a', fit },
          { hostId: 'h', poolId: 'b', reason: 'It is external.' },
        ],
      }),
    })
    const answer = await gateway.post('/v1/models/fit', { model_ref: 'm' })
    expect(await answer.json()).toMatchObject({
      data: [
        {
          ...{ pool_id: 'a', fits: false, reason: 'Too large.', required_bytes: 80 },
          ...{ correction: 1.05, basis: 'header', evictable_model_ids: ['old'] },
          terms: [{ name: 'weights', bytes: 70, formula: 'as the file says' }],
          devices: [{ device_id: '0', available_bytes: 50, total_bytes: null }],
        },
        { pool_id: 'b', fits: null, reason: 'It is external.', required_bytes: null, terms: [] },
      ],
      silent_hosts: [],
    })
  })
})

describe('models of a pool', () => {
  it('[000-T028] a dry run tells what a load would take, and commands nothing', async () => {
    const asked: unknown[] = []
    const fit = { modelId: 'm', fits: false, reason: 'Too large.', evictableModelIds: ['old'] }
    await using gateway = await start({
      onCommand: () => {
        throw new Error('nothing is commanded')
      },
      onFitModel: (request) => {
        asked.push(request)
        return { fits: [{ hostId: 'h', poolId: 'a', fit }] }
      },
    })
    const answer = await gateway.post('/v1/pools/a/models', { model_ref: 'hf:o/m', dry_run: true })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({
      ...{ object: 'fit', pool_id: 'a', fits: false, evictable_model_ids: ['old'] },
    })
    expect(asked).toMatchObject([{ modelRef: 'hf:o/m', poolId: 'a' }])
  })

  const OPERATION = { hostId: 'h1', operation: { ...PULL, type: OperationType.LOAD, poolId: 'a' } }

  it.each([
    [
      { model_ref: 'm', model_id: 'id', pin: true, ttl_s: 9, deadline_ms: 8 },
      { modelRef: 'm', modelId: 'id', isPinned: true, ttlS: 9, deadlineMs: 8 },
    ],
    [{ model_ref: 'm' }, { modelRef: 'm', modelId: '', isPinned: false, ttlS: 0, deadlineMs: 0 }],
  ])('are loaded by POST %j', async (body, value) => {
    const asked: CommandPoolRequest[] = []
    await using gateway = await start({ onCommand: (request) => (asked.push(request), OPERATION) })
    const answer = await gateway.post('/v1/pools/a/models', body)
    expect(answer.status).toBe(202)
    expect(await answer.json()).toMatchObject({ operation_type: 'load', backend_id: 'a' })
    expect(asked).toMatchObject([{ poolId: 'a', command: { case: 'loadModel', value } }])
  })

  it.each([
    ['org/name:8b', '', { deadlineMs: 0, isForced: false }],
    ['org%2Fname%3A8b', '?force=true&deadline_ms=5', { deadlineMs: 5, isForced: true }],
  ])('are unloaded by DELETE, slashes encoded or not: %s%s', async (path, query, value) => {
    const asked: CommandPoolRequest[] = []
    await using gateway = await start({ onCommand: (request) => (asked.push(request), OPERATION) })
    const answer = await gateway.delete(`/v1/pools/a/models/${path}${query}`)
    expect(answer.status).toBe(202)
    const wanted = { modelId: 'org/name:8b', ...value }
    expect(asked).toMatchObject([{ command: { case: 'unloadModel', value: wanted } }])
  })

  it('stay while requests run on them, and the answer says how many', async () => {
    await using gateway = await start({
      onCommand: () => {
        throw new BerthError('ACTIVE_REQUESTS', 'Busy.', { facts: { active_requests: 2 } })
      },
    })
    const answer = await gateway.delete('/v1/pools/a/models/m')
    expect(answer.status).toBe(409)
    expect(await answer.json()).toMatchObject({
      error: { code: 'ACTIVE_REQUESTS', active_requests: 2 },
    })
  })

  it.each([
    ['?deadline_ms=0', 'deadline_ms'],
    ['?deadline_ms=x', 'deadline_ms'],
    ['?force=maybe', 'force'],
    ['?wait=1', 'wait'],
  ])('are not unloaded by a query like %s', async (query, param) => {
    await using gateway = await start({ onCommand: () => OPERATION })
    const answer = await gateway.delete(`/v1/pools/a/models/m${query}`)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: { param } })
  })
})
