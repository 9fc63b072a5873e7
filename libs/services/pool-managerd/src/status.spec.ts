import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolMode, PoolState, ServiceState } from '@berth/contract'
import { read, send, startTestAgent, type AgentUnderTest } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { simPool } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

const lifecycle = { health_check_interval_s: 0.1, shutdown_grace_s: 0.3 }
/** What a llama-server says on each of its routes. */
const PAGES: Readonly<Record<string, string>> = {
  '/health': '{"status":"ok"}',
  '/v1/models': '{"data":[{"id":"m"}]}',
  '/props': '{"total_slots":5}',
}

let nats: NatsServer
let server: Server
let isUp = true
let test: AgentUnderTest
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
  server = createServer((request, response) => {
    response.statusCode = isUp ? 200 : 500
    response.end(PAGES[request.url ?? ''] ?? '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const foreign = { ...simPool('told', { mode: 'monitored', model: 'm', url, lifecycle }) }
  const options = { engine_options: { dialect: 'llamacpp' } }
  test = await startTestAgent(nats.url, [
    simPool('own', { lifecycle }),
    simPool('busy', { lifecycle }),
    { ...foreign, ...options, slots: undefined },
    { ...foreign, ...options, id: 'set', slots: 3 },
    { id: 'empty', engine: 'embedded' },
  ])
})
afterAll(async () => {
  await test[Symbol.asyncDispose]()
  server.close()
  server.closeAllConnections()
  await nats[Symbol.asyncDispose]()
})

describe('the status of a pool', () => {
  it('[001-TRK-1, 001-TRK-5, 001-ST-1, 001-ST-4, 003-AC-032, 003-AC-033] tells of a process only while there is one', async () => {
    const ready = await test.reaches('own', PoolState.READY)
    expect(ready).toMatchObject({
      ...{ serviceState: ServiceState.RUNNING, mode: PoolMode.MANAGED, live: true, ready: true },
      models: [{ modelId: 'sim-model' }],
    })
    expect((await test.simState('own')).pid).toBe(ready.pid)
    expect(ready.instanceId).not.toBe('')
    expect(ready.upSinceMs).toBeGreaterThan(0n)
    expect(ready.upSinceMs).toBeLessThanOrEqual(ready.stateSinceMs)
    await test.client.stop({ poolId: 'own' })
    expect(await test.reaches('own', PoolState.STOPPED)).toMatchObject({
      ...{ serviceState: ServiceState.STOPPED, ready: false },
      ...{ pid: 0, instanceId: '', upSinceMs: 0n },
    })
  })

  it('[001-TRK-3, 001-TRK-4, 003-AC-035] tells when the last check was and what came of it', async () => {
    await test.reaches('told', PoolState.READY)
    const check = (ok: boolean, after: bigint) =>
      eventually(`a check later than ${after} is ${ok}`, async () => {
        const { lastCheck } = await test.status('told')
        return lastCheck?.ok === ok && lastCheck.atMs > after && lastCheck
      })
    const first = await check(true, 0n)
    expect(first.error).toBe('')
    const second = await check(true, first.atMs)
    isUp = false
    const failed = await check(false, second.atMs)
    expect(failed.error).toContain('500')
    isUp = true
    expect((await check(true, failed.atMs)).error).toBe('')
  })

  it('[002-23a2, 002-14b, 002-14b2] has the slots its engine tells, unless the file says', async () => {
    const pools = { told: 5, set: 3 }
    for (const [pool, slots] of Object.entries(pools)) {
      const status = await test.reaches(pool, PoolState.READY)
      expect(status).toMatchObject({ slotsTotal: slots, slotsFree: slots, activeLeases: 0 })
    }
    const metrics = await read(await send(test.agent.httpPort, '/metrics'))
    expect(metrics).toContain('berth_pool_slots_total{pool_id="told"} 5\n')
    expect(metrics).toContain('berth_pool_slots_free{pool_id="told"} 5\n')
  })

  it('[001-TRK-6] is one chain of states, whatever is commanded at the same time', async () => {
    const { client } = test
    const commands = ['start', 'stop', 'restart', 'drain', 'undrain', 'ensureHealthy'] as const
    const answers = commands.flatMap((command) =>
      Array.from({ length: 4 }, () => client[command]({ poolId: 'busy', deadlineMs: 1 })),
    )
    const settled = await Promise.allSettled(answers)
    expect(settled.some(({ status }) => status === 'fulfilled')).toBe(true)
    const { transitions } = await eventually('it can be brought up again', async () => {
      await client.undrain({ poolId: 'busy' }).catch(() => undefined)
      await client.start({ poolId: 'busy' }).catch(() => undefined)
      const pool = await test.status('busy')
      return pool.ready && pool
    })
    const broken = transitions.filter(({ from }, at) => at > 0 && from !== transitions[at - 1]!.to)
    expect(broken).toEqual([])
    expect(transitions.length).toBeGreaterThan(3)
  })

  it('[002-06c, 002-12c] has what its engine supports', async () => {
    const { supports } = await test.status('empty')
    expect(supports).toMatchObject({
      quantizations: expect.arrayContaining(['Q4_K_M', 'F16']),
      routes: expect.arrayContaining(['/v1/chat/completions']),
      minComputeCap: 0,
    })
    expect((await test.status('own')).supports!.quantizations).toEqual([])
  })
})
