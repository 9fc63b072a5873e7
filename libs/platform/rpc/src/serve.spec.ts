import { afterEach, describe, expect, it } from '@jest/globals'
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from '@berth/contract/grpc'
import type { BerthError } from '@berth/kernel'
import { createClient, type Client } from './client.ts'
import { serveRpc } from './serve.ts'
import { reasonOf, recordLog, startEchoFleet } from './testing/echo-fleet.ts'
import type { EchoFleet, EchoOptions } from './testing/echo-fleet.ts'

let fleet: EchoFleet | undefined
let health: (Client<typeof Health> & Disposable) | undefined
const start = async (options?: EchoOptions) => {
  fleet = await startEchoFleet(options)
  health = createClient(Health, { address: fleet.address, defaultDeadlineMs: 10_000 })
  return { ...fleet, health }
}
afterEach(async () => {
  health?.[Symbol.dispose]()
  await fleet?.[Symbol.asyncDispose]()
  fleet = undefined
})

describe('the health service', () => {
  it.each(['', 'berth.testing.v1.EchoService'])('serves "%s" at first', async (service) => {
    const { health } = await start()
    expect((await health.check({ service })).status).toBe(ServingStatus.SERVING)
  })

  it('says NOT_SERVING after setServing(false), and back', async () => {
    const { health, server } = await start()
    server.setServing(false)
    expect((await health.check({})).status).toBe(ServingStatus.NOT_SERVING)
    server.setServing(true)
    expect((await health.check({})).status).toBe(ServingStatus.SERVING)
  })

  it('does not know services that are not served', async () => {
    const { health } = await start()
    await expect(health.check({ service: 'other.Service' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    const watch = health.watch({ service: 'other.Service' })[Symbol.asyncIterator]()
    expect((await watch.next()).value?.status).toBe(ServingStatus.SERVICE_UNKNOWN)
    await watch.return?.()
  })

  it('tells watchers of each change, the one before the end included', async () => {
    const { health, server } = await start()
    const seen: ServingStatus[] = []
    const watching = (async () => {
      for await (const { status } of health.watch({})) {
        seen.push(status)
        if (seen.length === 1) server.setServing(false)
        if (seen.length === 2) server.setServing(true)
        if (seen.length === 3) void server[Symbol.asyncDispose]()
      }
    })()
    expect(await reasonOf(watching)).toBe('RPC_UNAVAILABLE')
    const { SERVING, NOT_SERVING } = ServingStatus
    expect(seen).toEqual([SERVING, NOT_SERVING, SERVING, NOT_SERVING])
  })

  it('lists every service', async () => {
    const { health } = await start()
    const { statuses } = await health.list({})
    expect(Object.keys(statuses).sort()).toEqual(['', 'berth.testing.v1.EchoService'])
  })
})

describe('a drain', () => {
  it('lets unary calls end and refuses new ones', async () => {
    const entered = Promise.withResolvers<boolean>()
    const go = Promise.withResolvers<boolean>()
    const { client, server } = await start({
      handlers: {
        say: async ({ text }) => {
          entered.resolve(true)
          await go.promise
          return { text }
        },
      },
    })
    const inProgress = client.say({ text: 'kept' })
    await entered.promise
    const drained = server[Symbol.asyncDispose]()
    expect(await reasonOf(freshCall())).toBe('RPC_UNAVAILABLE')
    go.resolve(true)
    expect((await inProgress).text).toBe('kept')
    await drained
  })

  it('ends streams at once and tells their handlers', async () => {
    const told = Promise.withResolvers<unknown>()
    const { client, server } = await start({
      drainTimeoutMs: 60_000,
      handlers: {
        talk: async (stream, { signal }) => {
          stream.send({ text: 'welcome' })
          const next = stream.messages[Symbol.asyncIterator]().next()
          told.resolve([await reasonOf(next), (signal.reason as BerthError).reason])
        },
      },
    })
    const reader = client.talk().messages[Symbol.asyncIterator]()
    await reader.next()
    const drained = server[Symbol.asyncDispose]()
    expect(await reasonOf(reader.next())).toBe('RPC_UNAVAILABLE')
    expect(await told.promise).toEqual(['RPC_UNAVAILABLE', 'RPC_UNAVAILABLE'])
    await drained
  })

  it('cuts unary calls that outlast it', async () => {
    const entered = Promise.withResolvers<boolean>()
    const told = Promise.withResolvers<BerthError>()
    const { client, server, lines } = await start({
      drainTimeoutMs: 50,
      handlers: {
        say: (_, { signal }) => {
          entered.resolve(true)
          signal.addEventListener('abort', () => told.resolve(signal.reason as BerthError))
          return new Promise(() => {})
        },
      },
    })
    const answer = reasonOf(client.say({}))
    await entered.promise
    await server[Symbol.asyncDispose]()
    expect(await answer).toBe('RPC_UNAVAILABLE')
    expect((await told.promise).reason).toBe('RPC_UNAVAILABLE')
    expect(lines).toContainEqual({
      level: 'warn',
      facts: { openCalls: 1 },
      message: 'rpc calls cut at the drain deadline',
    })
  })

  it('is the same drain when asked for twice', async () => {
    const { server } = await start()
    await Promise.all([server[Symbol.asyncDispose](), server[Symbol.asyncDispose]()])
    await server[Symbol.asyncDispose]()
    expect(await reasonOf(freshCall())).toBe('RPC_UNAVAILABLE')
  })
})

describe('binding', () => {
  it('names the holder of a taken port and the setting to change', async () => {
    const { server } = await start()
    const options = { host: '127.0.0.1', services: [], log: recordLog(), drainTimeoutMs: 0 }
    await expect(serveRpc({ ...options, port: server.port })).rejects.toMatchObject({
      reason: 'PORT_IN_USE',
      facts: { port: server.port, holder_pid: process.pid },
      message: expect.stringContaining('--grpc-port'),
    })
  })

  it('refuses an address that is not of this machine as CONFIG_INVALID', async () => {
    const options = { host: '192.0.2.1', services: [], log: recordLog(), drainTimeoutMs: 0 }
    expect(await reasonOf(serveRpc({ ...options, port: 0 }))).toBe('CONFIG_INVALID')
  })
})

/** A call over a connection of its own. */
const freshCall = async () => {
  using client = createClient(Health, { address: fleet!.address, defaultDeadlineMs: 10_000 })
  return await client.check({})
}
