import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import {
  operatorOf,
  simPool,
  startFleet,
  until,
  type Fleet,
  type OperationView,
  type Operator,
} from '@berth/test-support'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let fleet: Fleet
let operator: Operator
beforeAll(async () => {
  const knobs = { tokens_per_s: 50, broken_model: 'broken' }
  const lifecycle = { shutdown_grace_s: 1 }
  fleet = await startFleet({
    hosts: [
      { hostId: 'h1', pools: [await simPool('a', { knobs, lifecycle })] },
      { hostId: 'h2', pools: [await simPool('b', { model: 'other', knobs, lifecycle })] },
    ],
  })
  operator = operatorOf(fleet)
}, 90_000)
afterAll(async () => {
  await fleet[Symbol.asyncDispose]()
})

/** A stream of about `seconds`, in flight. */
const longChat = async (model: string, seconds: number) => {
  const answer = await fleet.chat({
    model,
    stream: true,
    max_tokens: 50 * seconds,
    ignore_eos: true,
  })
  expect(answer.status).toBe(200)
  return answer.text()
}
const busy = (pool: string) => operator.poolIs(pool, 'busy', (now) => now.active_leases > 0)
const errorOf = async (answer: Response) =>
  ((await answer.json()) as { error: Record<string, unknown> }).error

describe('[002-28b] drain', () => {
  it('[002-11a][002-15a][002-15a2] takes nothing new at once, lets work end, and undrain opens it', async () => {
    const text = longChat('sim-model', 1)
    await busy('a')
    const drain = await operator.command('a', 'drain', { deadline_ms: 20_000 })
    expect(drain).toMatchObject({ operation_type: 'drain', status: 'in_progress', host_id: 'h1' })
    expect(await operator.poolIs('a', 'draining', (now) => now.draining)).toMatchObject({
      ...{ ready: false, current_operation: { operation_id: drain.operation_id } },
    })
    expect(await text).toContain('[DONE]')
    expect(await operator.ended(drain)).toMatchObject({
      status: 'completed',
      progress_percent: 100,
    })
    const undrain = await operator.command('a', 'undrain')
    expect(undrain).toMatchObject({ operation_type: 'undrain', status: 'completed' })
    await fleet.poolIsReady('a')
  })

  it('[002-11a2] ends with a terminal error what outlives the deadline when it is forced', async () => {
    const text = longChat('sim-model', 60)
    await busy('a')
    const body = { deadline_ms: 100, on_deadline: 'force' }
    const drain = await operator.command('a', 'drain', body)
    expect(await operator.ended(drain)).toMatchObject({ status: 'completed' })
    expect(await text).toContain('WORKER_RESET')
    await operator.command('a', 'undrain')
    await fleet.poolIsReady('a')
  })

  it('[002-11a2] takes requests again at the deadline when it is to be aborted', async () => {
    const text = longChat('sim-model', 2)
    await busy('a')
    const body = { deadline_ms: 100, on_deadline: 'abort' }
    const drain = await operator.command('a', 'drain', body)
    expect(await operator.ended(drain)).toMatchObject({
      ...{ status: 'failed', error_details: { code: 'ACTIVE_REQUESTS' } },
    })
    await fleet.poolIsReady('a')
    expect(await text).toContain('[DONE]')
  })
})

describe('[002-28b2] reload', () => {
  const reloads = (to: string) =>
    operator.command('b', 'reload', { new_model_ref: to, deadline_ms: 10_000 }).then(operator.ended)
  const serves = async (model: string) => {
    const answer = await fleet.chat({ model, max_tokens: 2 })
    return answer.status === 200 ? answer.headers.get('x-berth-pool') : answer.status
  }

  it('[002-11b] serves the new model, and says which steps it took', async () => {
    const done = await reloads('fresh')
    expect(done).toMatchObject({
      ...{ operation_type: 'reload', status: 'completed', model_id: 'fresh', backend_id: 'b' },
      error_details: null,
    })
    expect(done.steps.map(({ name }) => name)).toEqual(['drain', 'stage', 'stop', 'start', 'probe'])
    expect(done.steps.every(({ completed_at }) => completed_at !== null)).toBe(true)
    expect(await operator.pool('b')).toMatchObject({ ready: true, model_id: 'fresh' })
    expect(await serves('fresh')).toBe('b')
    expect(await serves('other')).toBe(404)
  })

  it('[002-11b] to the model that serves is done at once, without a restart', async () => {
    const { instance_id: before } = await operator.pool('b')
    const done = await reloads('fresh')
    expect(done).toMatchObject({ status: 'completed', steps: [] })
    expect((await operator.pool('b')).instance_id).toBe(before)
  })

  it('[002-11b] to a model that does not load rolls back to an engine that serves', async () => {
    const done = await reloads('broken')
    expect(done).toMatchObject({
      ...{ status: 'failed', rolled_back: true, error_details: { code: 'MODEL_LOAD_FAILED' } },
    })
    expect(done.error_details?.message).toMatch(/failed to load model, 'broken'.*rolled back/)
    const pool = await operator.pool('b')
    expect(pool).toMatchObject({ ready: true, state: 'ready', model_id: 'fresh' })
    expect(pool.last_error).toContain('Rolled back')
    expect(await serves('fresh')).toBe('b')
  })

  it('to a file that is not there never stops the engine', async () => {
    const { instance_id: before } = await operator.pool('b')
    const done = await reloads('file:nowhere.gguf')
    expect(done).toMatchObject({
      ...{ status: 'failed', rolled_back: false, error_details: { code: 'MODEL_NOT_FOUND' } },
    })
    expect(await operator.pool('b')).toMatchObject({ ready: true, instance_id: before })
  })

  it('whose drain is to be aborted leaves the original running', async () => {
    const { instance_id: before } = await operator.pool('b')
    const text = longChat('fresh', 2)
    await busy('b')
    const body = { new_model_ref: 'third', deadline_ms: 100, on_deadline: 'abort' }
    const done = await operator.ended(await operator.command('b', 'reload', body))
    expect(done).toMatchObject({ status: 'failed', error_details: { code: 'ACTIVE_REQUESTS' } })
    expect(await operator.pool('b')).toMatchObject({ ready: true, instance_id: before })
    expect(await text).toContain('[DONE]')
  })

  it('lasts over a restart of the agent; one without a model goes back to that of the pools file', async () => {
    await fleet.agent('h2').end('SIGTERM')
    await fleet.agent('h2').restart()
    await operator.poolIs('b', 'ready again', (now) => now.ready && now.model_id === 'fresh')
    const done = await operator.ended(await operator.command('b', 'reload'))
    expect(done).toMatchObject({ status: 'completed', model_id: 'other' })
    expect(await operator.pool('b')).toMatchObject({ ready: true, model_id: 'other' })
  })
})

describe('start, stop, restart and reset-restarts', () => {
  it('answer with an operation and do what they say', async () => {
    const before = await operator.pool('b')
    const stop = await operator.ended(await operator.command('b', 'stop'))
    expect(stop).toMatchObject({ operation_type: 'stop', status: 'completed' })
    // The operation is told by the agent, the pool by its next snapshot.
    const stopped = await operator.poolIs('b', 'stopped', ({ state }) => state === 'stopped')
    expect(stopped).toMatchObject({ ready: false, pid: null })
    const start = await operator.ended(await operator.command('b', 'start'))
    expect(start).toMatchObject({ operation_type: 'start', status: 'completed' })
    const restart = await operator.ended(await operator.command('b', 'restart'))
    expect(restart).toMatchObject({ operation_type: 'restart', status: 'completed' })
    const after = await operator.poolIs('b', 'ready', (now) => now.ready)
    expect(after.instance_id).not.toBe(before.instance_id)
    expect(await operator.command('b', 'reset-restarts')).toMatchObject({
      ...{ operation_type: 'reset_restarts', status: 'completed' },
    })
    expect(after.restarts).toEqual([])
  })

  it('with the same Idempotency-Key are done once', async () => {
    const headers = { 'Idempotency-Key': 'once-and-only-once' }
    const ask = async () =>
      (await (await operator.post('/v1/pools/b/restart', {}, headers)).json()) as OperationView
    const first = await ask()
    await operator.ended(first)
    const { instance_id: instance } = await operator.poolIs('b', 'ready', (now) => now.ready)
    expect((await ask()).operation_id).toBe(first.operation_id)
    expect((await operator.pool('b')).instance_id).toBe(instance)
  })

  it('are listed with the operations of their pool, the newest first', async () => {
    const { data } = await fleet.get<{ data: readonly OperationView[] }>('/v1/operations?pool=b')
    expect(data[0]).toMatchObject({ operation_type: 'restart', backend_id: 'b', host_id: 'h2' })
    expect(new Set(data.map(({ backend_id }) => backend_id))).toEqual(new Set(['b']))
  })
})

describe('a command that cannot be done', () => {
  it('names the operation that is in its way', async () => {
    const text = longChat('sim-model', 2)
    await busy('a')
    const drain = await operator.command('a', 'drain', { deadline_ms: 20_000 })
    const refused = await operator.post('/v1/pools/a/restart', {})
    expect(refused.status).toBe(409)
    expect(await errorOf(refused)).toMatchObject({
      ...{ code: 'OPERATION_IN_PROGRESS', operation_id: drain.operation_id, retriable: false },
    })
    await operator.command('a', 'undrain')
    expect(await operator.ended(drain)).toMatchObject({ status: 'cancelled' })
    expect(await text).toContain('[DONE]')
    await fleet.poolIsReady('a')
  })

  it.each([
    ['/v1/pools/nobody/drain', { deadline_ms: 1 }, 404, 'POOL_NOT_FOUND', null],
    ['/v1/pools/a/drain', {}, 400, 'INVALID_PARAMS', 'deadline_ms'],
    [
      '/v1/pools/a/drain',
      { deadline_ms: 1, on_deadline: 'x' },
      400,
      'INVALID_PARAMS',
      'on_deadline',
    ],
    ['/v1/pools/a/start', { now: true }, 400, 'INVALID_PARAMS', 'now'],
    [
      '/v1/pools/a/reload',
      { new_model_ref: 'file:../../x' },
      400,
      'INVALID_PARAMS',
      'new_model_ref',
    ],
    ['/v1/pools/a/reload', { new_model_ref: '-rf' }, 400, 'INVALID_PARAMS', 'new_model_ref'],
  ])('%s %j is answered with what is wrong', async (path, body, status, code, param) => {
    const answer = await operator.post(path, body)
    expect(answer.status).toBe(status)
    expect(await errorOf(answer)).toMatchObject({ code, param })
  })

  it('says which operation nobody knows', async () => {
    const answer = await fetch(`${fleet.url}/v1/operations/nothing`)
    expect(answer.status).toBe(404)
    expect(await errorOf(answer)).toMatchObject({ code: 'OPERATION_NOT_FOUND' })
  })

  it('because its host does not answer says which host', async () => {
    await fleet.agent('h2').end('SIGKILL')
    const answer = await operator.post('/v1/pools/b/restart', {})
    expect(answer.status).toBe(503)
    expect(await errorOf(answer)).toMatchObject({ code: 'POOL_UNAVAILABLE', host_id: 'h2' })
    await fleet.agent('h2').restart()
    await fleet.poolIsReady('b')
  })
})

describe('the log of a pool', () => {
  /** Established ones, as the kernel lists them: nobody but core connects to that port. */
  const connectionsToAgent = () => {
    const port = fleet.agent('h1').ports['grpcPort']!.toString(16).toUpperCase().padStart(4, '0')
    return readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , remote, state]) => remote?.endsWith(`:${port}`) && state === '01').length
  }

  it('is its last lines', async () => {
    const { data } = await fleet.get<{ data: readonly string[] }>('/v1/pools/a/logs?lines=1000')
    expect(data.some((line) => line.includes('listening'))).toBe(true)
    const last = await fleet.get<{ data: readonly string[] }>('/v1/pools/a/logs?lines=1')
    expect(last.data).toEqual(data.slice(-1))
  })

  it('is followed until the client leaves, and then nobody on the way listens any more', async () => {
    const leaving = new AbortController()
    const answer = await fetch(`${fleet.url}/v1/pools/a/logs?follow=true&lines=5`, {
      signal: leaving.signal,
    })
    expect(answer.headers.get('content-type')).toContain('text/event-stream')
    let seen = ''
    const reading = (async () => {
      for await (const bytes of answer.body!) seen += Buffer.from(bytes as Uint8Array).toString()
    })()
    await operator.ended(await operator.command('a', 'restart'))
    await until('the new engine is heard', () => /data: .*listening/.test(seen))
    // Commands share a connection; a log is followed on one of its own.
    expect(connectionsToAgent()).toBe(2)
    leaving.abort()
    await expect(reading).rejects.toThrow()
    await until('core has let go of the agent', () => connectionsToAgent() === 1)
    await fleet.poolIsReady('a')
  })

  it('of a pool that is not there is an error, not a stream', async () => {
    const answer = await fetch(`${fleet.url}/v1/pools/nobody/logs?follow=true`)
    expect(answer.status).toBe(404)
    expect(await errorOf(answer)).toMatchObject({ code: 'POOL_NOT_FOUND' })
  })
})
