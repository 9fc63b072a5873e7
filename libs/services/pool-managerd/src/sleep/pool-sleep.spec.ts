import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { createSilentLogger, systemClock } from '@berth/runtime'
import type { LaunchEnv } from '../engine/launch-instance.ts'
import { askEngine } from '../engine/ask-engine.ts'
import { PoolSleep, type SleeperPool } from './pool-sleep.ts'

const call = (path: string) => ({ method: 'POST' as const, path, body: '', timeoutMs: 60_000 })
const CALLS = {
  ...{ sleep: call('/sleep'), wake: call('/wake_up'), statePath: '/is_sleeping' },
  readAsleep: (body: string) => body === 'true',
}

/** A pool whose engine is a server that answers as it is told. */
const startPool = async (answer: RequestListener, state = 'ready') => {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const instance = { instanceId: 'i1', pid: 0, access: { baseUrl, headers: {} } }
  const dispatched: string[] = []
  const pool = {
    spec: { poolId: 'a' },
    instance: instance as object | undefined,
    supervised: { state: { kind: state }, isCordoned: state === 'draining' },
    slots: {
      active: 0,
      whenIdle: (fn: () => void) => {
        queueMicrotask(fn)
        return () => undefined
      },
    },
    dispatch: ({ kind }: { readonly kind: string }) => void dispatched.push(kind),
    onChange: () => () => undefined,
  }
  const clock = systemClock()
  const sleep = new PoolSleep(pool as unknown as SleeperPool, CALLS, {
    ...{ env: {} as LaunchEnv, clock, log: createSilentLogger() },
    ...{ askProbe: askEngine(clock), onChange: () => undefined },
  })
  return {
    ...{ pool, sleep, dispatched, server },
    [Symbol.asyncDispose]: async () => {
      sleep[Symbol.dispose]()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

describe('an engine that is asked to sleep', () => {
  it('and stopped meanwhile is not started again', async () => {
    await using test = await startPool(() => {
      test.pool.instance = undefined
      test.server.closeAllConnections()
    })
    await expect(test.sleep.fallAsleep(1_000, () => undefined)).rejects.toThrow('cut')
    expect(test.dispatched).toEqual(['drain', 'undrain'])
  })

  it('takes requests again when those it had outlive the drain', async () => {
    await using test = await startPool((_request, response) => response.end('false'))
    test.pool.slots.active = 1
    await expect(test.sleep.fallAsleep(0, () => undefined)).rejects.toThrow('1 requests outlived')
    expect(test.dispatched).toEqual(['drain', 'undrain'])
  })
})

describe('an engine that is woken while it is awake', () => {
  it('stays drained for whoever drained it', async () => {
    await using test = await startPool((_request, response) => response.end('false'), 'draining')
    await test.sleep.wakeUp(() => undefined)
    expect(test.dispatched).toEqual([])
  })
})
