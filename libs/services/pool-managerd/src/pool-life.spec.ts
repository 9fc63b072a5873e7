import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { connectBus, subjects } from '@berth/bus'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import {
  OperationStatus,
  PoolState,
  ServiceState,
  type HostSnapshot,
  type Operation,
} from '@berth/contract'
import { createSilentLogger } from '@berth/runtime'
import { chat, read, startTestAgent, type AgentUnderTest } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { isAlive } from './testing/is-alive.ts'
import { simPool } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(40_000)

let nats: NatsServer
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})

const start = (pools: readonly object[]): Promise<AgentUnderTest> => startTestAgent(nats.url, pools)

const quick = {
  lifecycle: { health_check_interval_s: 0.1, shutdown_grace_s: 0.3 },
}

describe('the engine of a pool', () => {
  it('is ready only after its load, and both are seen in the snapshot on the bus', async () => {
    await using bus = await connectBus({ url: nats.url, name: 't', log: createSilentLogger() })
    const seen: HostSnapshot[] = []
    bus.watchLatest(subjects.hostSnapshot('h1'), (snapshot) => seen.push(snapshot))
    await using test = await start([simPool('a', {}, { load_ms: 400 })])
    const ready = await test.reaches('a', PoolState.READY)
    expect(ready.transitions.map(({ to }) => to)).toEqual([
      PoolState.PREPARING,
      PoolState.STARTING,
      PoolState.READY,
    ])
    expect(Number(ready.transitions[2]!.atMs - ready.transitions[1]!.atMs)).toBeGreaterThan(300)
    const epoch = BigInt(test.agent.epoch)
    const last = await eventually('a snapshot that is ready', () =>
      seen.find((snapshot) => snapshot.epoch === epoch && snapshot.pools[0]?.ready),
    )
    expect(last).toMatchObject({ hostId: 'h1', devices: [{ deviceId: 'cpu' }] })
    expect(last.pools[0]).toMatchObject({ poolId: 'a', slotsTotal: 2, slotsFree: 2 })
    expect(last.pools[0]!.models[0]).toMatchObject({ modelId: 'sim-model' })
    const loading = seen.filter((snapshot) => snapshot.epoch === epoch && !snapshot.pools[0]?.ready)
    expect(loading.length).toBeGreaterThan(0)
  })

  it('is started again after it was killed, as a new instance, and serves [002-03, 002-26a, 003-AC-019, 003-IT-003]', async () => {
    await using test = await start([simPool('a')])
    const before = await test.reaches('a', PoolState.READY)
    process.kill(before.pid, 'SIGKILL')
    const after = await eventually('another instance', async () => {
      const pool = await test.status('a')
      return pool.ready && pool.instanceId !== before.instanceId && pool
    })
    expect(after.restartCount).toBe(1)
    expect(after.transitions.map(({ to }) => to)).toEqual(
      expect.arrayContaining([PoolState.CRASHED, PoolState.BACKOFF]),
    )
    expect(isAlive(before.pid)).toBe(false)
    const headers = { 'berth-lease': test.token('a'), 'content-type': 'application/json' }
    const answer = await test.post('/v1/chat/completions', chat({ max_tokens: 3 }), headers)
    expect(answer.statusCode).toBe(200)
    expect(JSON.parse(await read(answer))).toMatchObject({ usage: { completion_tokens: 3 } })
  })

  it('that crashes again and again fails with the breaker as reason [001-ST-5, 003-FR-033]', async () => {
    const fast = { backoff: { initial_ms: 1 }, max_restarts_per_minute: 1 }
    await using test = await start([simPool('a', { lifecycle: fast }, { exit_code: 3 })])
    const failed = await test.reaches('a', PoolState.FAILED)
    expect(failed).toMatchObject({ serviceState: ServiceState.FAILED, restartCount: 1 })
    expect(failed.stateReason).toContain('ended 2 times')
  })

  it('that never gets ready is ended at the load timeout', async () => {
    const lifecycle = { model_load_timeout_s: 0.5, model_load_max_retries: 0, shutdown_grace_s: 1 }
    await using test = await start([simPool('a', { lifecycle }, { never_ready: true })])
    const failed = await test.reaches('a', PoolState.FAILED)
    expect(failed.lastError).toContain('model_load_timeout_s')
    expect(failed.pid).toBe(0)
  })

  it('that ignores SIGTERM is killed after its grace [001-PRC-2, 001-API-4]', async () => {
    await using test = await start([simPool('a', quick, { ignore_sigterm: true })])
    const { pid } = await test.reaches('a', PoolState.READY)
    const { operation } = await test.client.stop({ poolId: 'a' })
    const states: Operation[] = []
    for await (const { operation: seen } of test.client.watchOperation({
      operationId: operation!.operationId,
    }))
      states.push(seen!)
    expect(states.at(-1)!.status).toBe(OperationStatus.COMPLETED)
    expect(isAlive(pid)).toBe(false)
    expect((await test.status('a')).state).toBe(PoolState.STOPPED)
  })

  it('takes the children it left in its group with it [001-PRC-2]', async () => {
    await using test = await start([simPool('a', quick, { orphan: true })])
    const { pid } = await test.reaches('a', PoolState.READY)
    const { orphan_pid: orphan } = await test.simState('a')
    expect(isAlive(orphan!)).toBe(true)
    process.kill(pid, 'SIGKILL')
    await eventually('the orphan ends', () => !isAlive(orphan!))
  })

  it('whose program is missing fails at once, names it and says what to do [003-FR-050]', async () => {
    const lifecycle = { binary_path: '/nowhere/engine' }
    await using test = await start([simPool('a', { lifecycle })])
    const failed = await test.reaches('a', PoolState.FAILED)
    expect(failed.lastError).toContain('/nowhere/engine')
    expect(failed.restartCount).toBe(0)
    const asked = test.client.ensureHealthy({ poolId: 'a' })
    await expect(asked).rejects.toMatchObject({ reason: 'POOL_UNREADY' })
    await expect(asked).rejects.toThrow(/\/nowhere\/engine.*berth pools start a/s)
  })
})

describe('commands', () => {
  it('[001-API-1] EnsureHealthy starts a stopped pool once for all who ask', async () => {
    await using test = await start([simPool('a')])
    await test.reaches('a', PoolState.READY)
    await test.client.stop({ poolId: 'a' })
    await test.reaches('a', PoolState.STOPPED)
    const asked = await Promise.all([1, 2, 3].map(() => test.client.ensureHealthy({ poolId: 'a' })))
    expect(new Set(asked.map(({ pool }) => pool!.instanceId)).size).toBe(1)
    expect(asked[0]!.pool!.ready).toBe(true)
  })

  it('a repeated key gets the first operation, a lower term is refused', async () => {
    await using test = await start([simPool('a')])
    await test.reaches('a', PoolState.READY)
    const header = { term: 7n, idempotencyKey: 'k1' }
    const first = await test.client.restart({ poolId: 'a', header })
    const again = await test.client.restart({ poolId: 'a', header })
    expect(again.operation!.operationId).toBe(first.operation!.operationId)
    await expect(
      test.client.start({ poolId: 'a', header: { term: 6n, idempotencyKey: '' } }),
    ).rejects.toMatchObject({ reason: 'STALE_TERM' })
  })

  it('a lease key for another epoch is refused', async () => {
    await using test = await start([])
    const key = { term: 9n, keyId: 't9', key: new Uint8Array(32), hostId: 'h1' }
    await expect(test.client.installLeaseKey({ ...key, epoch: 1n })).rejects.toMatchObject({
      reason: 'STALE_EPOCH',
    })
  })

  it('a lease key for another host is refused, also when the epoch is right', async () => {
    await using test = await start([])
    const key = { term: 9n, keyId: 't9', key: new Uint8Array(32), hostId: 'h2' }
    const epoch = BigInt(test.agent.epoch)
    await expect(test.client.installLeaseKey({ ...key, epoch })).rejects.toMatchObject({
      reason: 'HOST_NOT_FOUND',
      facts: { host_id: 'h1' },
    })
  })

  it('TailLog shows what the engine printed', async () => {
    await using test = await start([simPool('a')])
    await test.reaches('a', PoolState.READY)
    // The ring follows the file a moment behind.
    const shown = await eventually('the log has what the engine printed', async () => {
      const lines: string[] = []
      for await (const batch of test.client.tailLog({ poolId: 'a', lines: 100 }))
        lines.push(...batch.lines)
      return lines.some((line) => line.includes('listening')) && lines
    })
    expect(shown.length).toBeGreaterThan(0)
  })

  it('drain takes nothing new until undrain [002-03]', async () => {
    await using test = await start([simPool('a')])
    await test.reaches('a', PoolState.READY)
    await test.client.drain({ poolId: 'a', deadlineMs: 1_000 })
    expect(await test.reaches('a', PoolState.DRAINING)).toMatchObject({ ready: false })
    const { pool } = await test.client.undrain({ poolId: 'a' })
    expect(pool).toMatchObject({ ready: true, draining: false })
  })
})
