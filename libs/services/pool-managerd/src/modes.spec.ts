import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
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
import { PoolMode, PoolState } from '@berth/contract'
import { startTestAgent } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { isAlive } from './testing/is-alive.ts'
import { simPool } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy.
jest.setTimeout(60_000)

let nats: NatsServer
let server: Server
let isUp: boolean
let asked: number
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})
/** A server that somebody else runs. */
beforeEach(async () => {
  isUp = true
  asked = 0
  server = createServer((_request, response) => {
    asked += 1
    response.statusCode = isUp ? 200 : 500
    response.end('{"data":[{"id":"m"}]}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => {
  server.close()
  server.closeAllConnections()
})

const quick = { health_check_interval_s: 0.1, shutdown_grace_s: 0.3 }
const foreign = (mode: string) => ({
  ...{ id: 'a', engine: 'openai', mode, model: 'm', unit: 'vllm@a.service' },
  url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  lifecycle: quick,
})

describe('the mode of a pool [003-TC-02, 003-FR-003]', () => {
  it('[001-MODE-1, 001-API-8] managed: Berth starts, restarts and stops the engine', async () => {
    await using test = await startTestAgent(nats.url, [simPool('a', { lifecycle: quick })])
    const first = await test.reaches('a', PoolState.READY)
    expect(first.mode).toBe(PoolMode.MANAGED)
    await test.client.restart({ poolId: 'a' })
    const second = await eventually('another engine is ready', async () => {
      const pool = await test.status('a')
      return pool.ready && pool.pid !== first.pid && pool
    })
    expect(isAlive(first.pid)).toBe(false)
    await test.client.stop({ poolId: 'a' })
    await test.reaches('a', PoolState.STOPPED)
    expect(isAlive(second.pid)).toBe(false)
  })

  it.each([
    ['monitored', PoolMode.MONITORED],
    ['external', PoolMode.EXTERNAL],
  ] as const)(
    '[001-MODE-2, 001-MODE-3] %s: Berth watches, and never starts, restarts or stops it',
    async (mode, shown) => {
      await using test = await startTestAgent(nats.url, [foreign(mode)])
      const ready = await test.reaches('a', PoolState.READY)
      expect(ready).toMatchObject({ mode: shown, pid: 0, restartCount: 0 })
      isUp = false
      const down = await test.reaches('a', PoolState.STARTING)
      expect(down).toMatchObject({ ready: false, pid: 0, restartCount: 0 })
      const before = asked
      await eventually('it goes on asking', () => asked > before + 3)
      const refused = { reason: 'UNSUPPORTED_OPERATION' }
      for (const command of ['start', 'stop', 'restart'] as const) {
        const answer = test.client[command]({ poolId: 'a' })
        await expect(answer).rejects.toMatchObject(refused)
        await expect(test.client[command]({ poolId: 'a' })).rejects.toThrow('vllm@a.service')
      }
      isUp = true
      expect((await test.reaches('a', PoolState.READY)).restartCount).toBe(0)
    },
  )
})
