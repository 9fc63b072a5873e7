import { once } from 'node:events'
import { describe, expect, it } from '@jest/globals'
import {
  DrainDeadline,
  OperationStatus,
  OperationType,
  type CommandPoolRequest,
  type TailPoolLogRequest,
} from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { startGateway } from '../testing/gateway-rig.ts'
import { startScriptedCore, type CoreScript } from '../testing/scripted-core.ts'
import { until } from '../testing/until.ts'

const start = async (script: Partial<CoreScript>) => {
  const core = await startScriptedCore({ onAcquire: () => undefined, ...script })
  const gateway = await startGateway([core.address])
  return {
    ...gateway,
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]()
      await core[Symbol.asyncDispose]()
    },
  }
}

const OPERATION = {
  hostId: 'h1',
  operation: {
    ...{ operationId: 'o1', type: OperationType.RELOAD, status: OperationStatus.FAILED },
    ...{ poolId: 'a', modelId: 'next', modelRef: 'file:next.gguf', progressPercent: 80 },
    ...{ step: 'roll_back', initiatedAtMs: 1_000n, completedAtMs: 3_000n, rolledBack: true },
    ...{ errorReason: 'MODEL_LOAD_FAILED', errorMessage: 'No.' },
    steps: [{ name: 'drain', startedAtMs: 1_000n, completedAtMs: 2_000n }],
  },
}

describe('POST /v1/pools/{id}/...', () => {
  it.each([
    ['start', undefined, 'start', {}],
    ['stop', { deadline_ms: 5 }, 'stop', { deadlineMs: 5 }],
    ['restart', {}, 'restart', { deadlineMs: 0 }],
    ['reset-restarts', {}, 'resetRestarts', {}],
    [
      'drain',
      { deadline_ms: 9, on_deadline: 'abort' },
      'drain',
      { deadlineMs: 9, onDeadline: DrainDeadline.ABORT },
    ],
    ['undrain', {}, 'undrain', {}],
    ['bench', { seconds: 3 }, 'bench', { seconds: 3 }],
    ['sleep', { deadline_ms: 5 }, 'sleep', { deadlineMs: 5 }],
    ['wake', {}, 'wake', {}],
    [
      'reload',
      { new_model_ref: 'm' },
      'reload',
      { newModelRef: 'm', deadlineMs: 0, onDeadline: DrainDeadline.FORCE },
    ],
  ] as const)('%s %j is passed on as a command with a key', async (path, body, kind, fields) => {
    const asked: CommandPoolRequest[] = []
    await using gateway = await start({ onCommand: (request) => (asked.push(request), OPERATION) })
    const url = `/v1/pools/a/${path}`
    const answer = await (body ? gateway.post(url, body) : gateway.post(url, ''))
    expect(answer.status).toBe(202)
    expect(asked).toMatchObject([{ poolId: 'a', command: { case: kind, value: fields } }])
    expect(asked[0]!.idempotencyKey).not.toBe('')
  })

  it('is answered with the operation in the names of the API', async () => {
    await using gateway = await start({ onCommand: () => OPERATION })
    const answer = await gateway.post('/v1/pools/a/reload', {})
    expect(answer.headers.get('location')).toBe('/v1/operations/o1')
    expect(await answer.json()).toEqual({
      ...{ operation_id: 'o1', object: 'operation', operation_type: 'reload', status: 'failed' },
      ...{ progress_percent: 80, eta_ms: null, model_id: 'next', model_ref: 'file:next.gguf' },
      ...{ backend_id: 'a', host_id: 'h1', step: 'roll_back', rolled_back: true },
      steps: [
        {
          name: 'drain',
          started_at: '1970-01-01T00:00:01.000Z',
          completed_at: '1970-01-01T00:00:02.000Z',
        },
      ],
      initiated_at: '1970-01-01T00:00:01.000Z',
      completed_at: '1970-01-01T00:00:03.000Z',
      error_details: { code: 'MODEL_LOAD_FAILED', message: 'No.' },
    })
  })

  it('is sent with the Idempotency-Key of the client, which must be one', async () => {
    const asked: CommandPoolRequest[] = []
    await using gateway = await start({ onCommand: (request) => (asked.push(request), OPERATION) })
    const headers = { 'Idempotency-Key': 'k-1' }
    await gateway.post('/v1/pools/a/start', {}, { headers })
    expect(asked).toMatchObject([{ idempotencyKey: 'k-1' }])
    const bad = { 'Idempotency-Key': 'two words' }
    const answer = await gateway.post('/v1/pools/a/start', {}, { headers: bad })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: { param: 'Idempotency-Key' } })
    expect(asked.length).toBe(1)
  })

  it.each([
    ['drain', {}, 'deadline_ms'],
    ['drain', { deadline_ms: 0 }, 'deadline_ms'],
    ['drain', { deadline_ms: 1.5 }, 'deadline_ms'],
    ['reload', { new_model_ref: '' }, 'new_model_ref'],
    ['reload', { model: 'm' }, 'model'],
    ['undrain', { deadline_ms: 1 }, 'deadline_ms'],
  ])('%s %j is refused with the name of the field', async (command, body, param) => {
    await using gateway = await start({ onCommand: () => OPERATION })
    const answer = await gateway.post(`/v1/pools/a/${command}`, body)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: { code: 'INVALID_PARAMS', param } })
  })

  it('says what is in its way, with the facts', async () => {
    await using gateway = await start({
      onCommand: () => {
        throw new BerthError('OPERATION_IN_PROGRESS', 'Another one.', {
          facts: { operation_id: 'o9' },
        })
      },
    })
    const answer = await gateway.post('/v1/pools/a/start', {})
    expect(answer.status).toBe(409)
    expect(await answer.json()).toMatchObject({
      error: { code: 'OPERATION_IN_PROGRESS', operation_id: 'o9', message: 'Another one.' },
    })
  })
})

describe('GET /v1/operations', () => {
  it('is a list, and one by its id', async () => {
    await using gateway = await start({ operations: [OPERATION] })
    const read = async (path: string) => (await fetch(gateway.url + path)).json()
    expect(await read('/v1/operations?pool=a')).toMatchObject({
      ...{ object: 'list', data: [{ operation_id: 'o1', host_id: 'h1' }], silent_hosts: [] },
    })
    expect(await read('/v1/operations/o1')).toMatchObject({ operation_id: 'o1' })
    expect(await read('/v1/operations/o2')).toMatchObject({
      error: { code: 'OPERATION_NOT_FOUND' },
    })
  })
})

describe('GET /v1/pools/{id}/logs', () => {
  const pools = [{ hostId: 'h1', pool: { poolId: 'a' } }]
  const follow = (onEnd: () => void): Partial<CoreScript> => ({
    pools,
    onTailLog: async function* (_request, signal) {
      yield { lines: ['one', 'two\rthree'] }
      await once(signal, 'abort')
      onEnd()
    },
  })

  it('is a list of the last lines', async () => {
    const asked: TailPoolLogRequest[] = []
    await using gateway = await start({
      pools,
      onTailLog: async function* (request) {
        asked.push(request)
        yield { lines: ['one'] }
        yield { lines: ['two'] }
      },
    })
    const answer = await fetch(`${gateway.url}/v1/pools/a/logs?lines=7`)
    expect(await answer.json()).toEqual({ object: 'list', data: ['one', 'two'] })
    expect(asked).toMatchObject([{ poolId: 'a', lines: 7, follow: false }])
  })

  it('is an event for each line when following, until the client leaves', async () => {
    let ends = 0
    await using gateway = await start(follow(() => (ends += 1)))
    const leaving = new AbortController()
    const answer = await fetch(`${gateway.url}/v1/pools/a/logs?follow=true`, {
      signal: leaving.signal,
    })
    const reader = answer.body!.getReader()
    let seen = ''
    while (!seen.includes('two')) seen += Buffer.from((await reader.read()).value).toString()
    expect(seen).toContain('data: one\n\ndata: two three\n\n')
    leaving.abort()
    await until('core is told', () => ends === 1)
  })

  it('ends when the gateway stops', async () => {
    let ends = 0
    const gateway = await start(follow(() => (ends += 1)))
    const answer = await fetch(`${gateway.url}/v1/pools/a/logs?follow=true`)
    const reader = answer.body!.getReader()
    let seen = ''
    while (!seen.includes('one')) seen += Buffer.from((await reader.read()).value).toString()
    const rest = reader.read()
    await gateway[Symbol.asyncDispose]()
    expect((await rest).done).toBe(true)
    expect(ends).toBe(1)
  })

  it('says in an event what broke it off', async () => {
    await using gateway = await start({
      pools,
      onTailLog: async function* () {
        yield { lines: ['one'] }
        throw new BerthError('POOL_UNAVAILABLE', 'Its host is gone.')
      },
    })
    const answer = await fetch(`${gateway.url}/v1/pools/a/logs?follow=true`)
    expect(await answer.text()).toMatch(/event: error\ndata: \{.*POOL_UNAVAILABLE/)
  })

  it.each([
    ['lines=1001', 'lines'],
    ['lines=x', 'lines'],
    ['follow=maybe', 'follow'],
  ])('refuses %s', async (query, param) => {
    await using gateway = await start({ pools })
    const answer = await fetch(`${gateway.url}/v1/pools/a/logs?${query}`)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: { param } })
  })
})
