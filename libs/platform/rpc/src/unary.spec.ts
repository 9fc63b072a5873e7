import { durationMs } from '@bufbuild/protobuf/wkt'
import { afterEach, describe, expect, it } from '@jest/globals'
import { BerthError } from '@berth/kernel'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { createClient } from './client.ts'
import { methodDefinition } from './service-definition.ts'
import {
  eventually,
  reasonOf,
  startEchoFleet,
  type EchoFleet,
  type EchoOptions,
} from './testing/echo-fleet.ts'
import { EchoService } from './testing/gen/echo_pb.ts'

let fleet: EchoFleet | undefined
const start = async (options?: EchoOptions) => (fleet = await startEchoFleet(options))
afterEach(async () => {
  await fleet?.[Symbol.asyncDispose]()
  fleet = undefined
})

/** Waits for its signal, then tells why it was aborted. */
const waitForAbort = () => {
  const { promise, resolve } = Promise.withResolvers<BerthError>()
  const entered = Promise.withResolvers<boolean>()
  const say = async (_: unknown, { signal }: { signal: AbortSignal }): Promise<never> => {
    entered.resolve(true)
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        resolve(signal.reason as BerthError)
        reject(signal.reason as BerthError)
      })
    })
  }
  return {
    say,
    entered: entered.promise,
    reason: promise.then(({ reason }) => reason),
    isAborted: promise.then(() => true),
  }
}

describe('unary calls', () => {
  it('answer with what the handler resolves to', async () => {
    const { client } = await start()
    expect((await client.say({ text: 'grüße' })).text).toBe('grüße')
  })

  it('fail with the reason, message, facts and retry delay the handler threw', async () => {
    const error = new BerthError('POOL_BUSY', 'Every slot is taken.', {
      facts: { slots: 4 },
      retryAfterMs: 300,
    })
    const { client } = await start({ handlers: { say: () => Promise.reject(error) } })
    await expect(client.say({})).rejects.toMatchObject({
      reason: 'POOL_BUSY',
      code: 'ABORTED',
      message: 'Every slot is taken.',
      facts: { slots: 4 },
      retryAfterMs: 300,
    })
  })

  it('fail the same way when the handler throws before it awaits', async () => {
    const say = () => {
      throw new BerthError('STALE_TERM', 'An older term.')
    }
    const { client } = await start({ handlers: { say } })
    expect(await reasonOf(client.say({}))).toBe('STALE_TERM')
  })

  it('hide what was not meant for callers, and log it once with its call', async () => {
    const cause = new TypeError('secret path /etc/berth')
    const { client, lines } = await start({ handlers: { say: () => Promise.reject(cause) } })
    const error = await client
      .say({}, { correlationId: 'c-1' })
      .catch((e: unknown) => e as BerthError)
    expect(error).toMatchObject({ reason: 'INTERNAL', facts: {} })
    expect(JSON.stringify([error, (error as BerthError).message])).not.toContain('secret')
    expect(lines.filter(({ level }) => level === 'error')).toEqual([
      {
        level: 'error',
        message: 'rpc failed',
        facts: expect.objectContaining({
          err: cause,
          correlationId: 'c-1',
          method: '/berth.testing.v1.EchoService/Say',
        }),
      },
    ])
  })

  it('abort the signal of the handler when the caller cancels', async () => {
    const { say, entered, reason } = waitForAbort()
    const { client } = await start({ handlers: { say } })
    const controller = new AbortController()
    const answer = reasonOf(client.say({}, { signal: controller.signal }))
    await entered
    controller.abort()
    expect(await answer).toBe('CANCELLED')
    expect(await reason).toBe('CANCELLED')
  })

  it('do not begin when their signal is already aborted', async () => {
    const { client } = await start()
    expect(await reasonOf(client.say({}, { signal: AbortSignal.abort() }))).toBe('CANCELLED')
  })

  it('end at their deadline, on both sides', async () => {
    const { say, isAborted } = waitForAbort()
    const { client } = await start({ handlers: { say } })
    expect(await reasonOf(client.say({}, { deadlineMs: 50 }))).toBe('RPC_DEADLINE')
    expect(await isAborted).toBe(true)
  })

  it('[001-API-11] have the deadline of the client when they name none', async () => {
    const { say } = waitForAbort()
    const { client } = await start({ handlers: { say }, defaultDeadlineMs: 50 })
    expect(await reasonOf(client.say({}))).toBe('RPC_DEADLINE')
  })

  it('tell the handler how long is left', async () => {
    const { client } = await start()
    const { timeLeft } = await client.say({}, { deadlineMs: 5_000 })
    expect(durationMs(timeLeft!)).toBeGreaterThan(0)
    expect(durationMs(timeLeft!)).toBeLessThanOrEqual(5_000)
    expect((await client.say({}, { deadlineMs: Infinity })).timeLeft).toBeUndefined()
  })

  it('[001-API-11] pass deadline, correlation id and cancellation on when given the context', async () => {
    const backend = waitForAbort()
    await using second = await startEchoFleet({ handlers: { say: backend.say } })
    const { client } = await start({ handlers: { say: (q, ctx) => second.client.say(q, ctx) } })
    const controller = new AbortController()
    const answer = reasonOf(client.say({}, { signal: controller.signal }))
    await backend.entered
    controller.abort()
    expect(await answer).toBe('CANCELLED')
    expect(await backend.reason).toBe('CANCELLED')
  })

  it('fail with RPC_UNAVAILABLE when nobody listens', async () => {
    const { address, server } = await start()
    await server[Symbol.asyncDispose]()
    using client = createClient(EchoService, { address, defaultDeadlineMs: 10_000 })
    expect(await reasonOf(client.say({}))).toBe('RPC_UNAVAILABLE')
  })

  it('reach a server that came back on the same port', async () => {
    const first = await start()
    await first.client.say({})
    await first.server[Symbol.asyncDispose]()
    expect(await reasonOf(first.client.say({}))).toBe('RPC_UNAVAILABLE')
    await using _second = await startEchoFleet({ port: first.server.port })
    const answer = await eventually(() =>
      first.client.say({ text: 'back' }).then(
        ({ text }) => text,
        () => undefined,
      ),
    )
    expect(answer).toBe('back')
  })

  it('fail when the client is closed, those in progress too', async () => {
    const { say, entered } = waitForAbort()
    const { client } = await start({ handlers: { say } })
    const inProgress = reasonOf(client.say({}))
    await entered
    client[Symbol.dispose]()
    expect(await inProgress).toBe('CANCELLED')
    expect(await reasonOf(client.say({}))).toBe('CANCELLED')
  })
})

describe('the correlation id', () => {
  it("is the caller's, in the context", async () => {
    const { client } = await start()
    const { correlationId } = await client.say({}, { correlationId: 'req-42' })
    expect(correlationId).toBe('req-42')
  })

  it('is minted where the caller gave none, or one that may not be echoed', async () => {
    const { client } = await start()
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
    expect((await client.say({})).correlationId).toMatch(uuid)
    expect((await client.say({}, { correlationId: 'not an id' })).correlationId).toMatch(uuid)
  })

  it.each([
    ['an answer', false],
    ['an error', true],
  ])('comes back in the metadata of %s', async (_, isRefused) => {
    const refuse = () => Promise.reject(new BerthError('POOL_BUSY', 'Busy.'))
    const { address } = await start(isRefused ? { handlers: { say: refuse } } : {})
    expect(await rawSayMetadata(address, 'req-43')).toContain('req-43')
  })
})

/** Everything a plain grpc-js client is told about the correlation id. */
const rawSayMetadata = (address: string, correlationId: string): Promise<unknown[]> =>
  new Promise((resolve) => {
    const client = new Client(address, credentials.createInsecure())
    const { path, requestSerialize, responseDeserialize } = methodDefinition(
      EchoService,
      EchoService.method.say,
    )
    const metadata = new Metadata()
    metadata.set('x-correlation-id', correlationId)
    const seen: unknown[] = []
    client
      .makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, metadata, () => {})
      .on('metadata', (got: Metadata) => seen.push(...got.get('x-correlation-id')))
      .on('status', (status) => {
        seen.push(...status.metadata.get('x-correlation-id'))
        client.close()
        resolve(seen)
      })
  })
