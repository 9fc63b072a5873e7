import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { BerthError } from '@berth/kernel'
import { createSimClock } from '@berth/kernel/testing'
import { listen } from '@berth/runtime'
import { SEND_HIGH_WATER, SEND_LIMIT, type BidiStream } from './bidi-stream.ts'
import type { CallContext } from './call-context.ts'
import { createClient } from './client.ts'
import { reasonOf, startEchoFleet, type EchoFleet, type EchoOptions } from './testing/echo-fleet.ts'
import { EchoService, type TalkRequest } from './testing/gen/echo_pb.ts'

type ServerTalk = BidiStream<TalkRequest, { text: string }>

let fleet: EchoFleet | undefined
const start = async (options?: EchoOptions) => (fleet = await startEchoFleet(options))
afterEach(async () => {
  await fleet?.[Symbol.asyncDispose]()
  fleet = undefined
})

const collect = async <T>(messages: AsyncIterable<T>, into: T[] = []): Promise<T[]> => {
  for await (const message of messages) into.push(message)
  return into
}

const aborted = ({ signal }: CallContext): Promise<BerthError> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason as BerthError)
    signal.addEventListener('abort', () => resolve(signal.reason as BerthError))
  })

describe('server streams', () => {
  it('deliver every message in order to a reader of any speed', async () => {
    const { client } = await start()
    const values = (await collect(client.count({ to: 3_000 }))).map(({ value }) => value)
    expect(values).toEqual(Array.from({ length: 3_000 }, (_, index) => index + 1))
  })

  it('wait for a reader that stopped reading', async () => {
    let made = 0
    const { client } = await start({
      handlers: {
        count: async function* ({ to }) {
          for (; made < to; made++) yield { value: made }
        },
      },
    })
    const reader = client.count({ to: 1_000_000 })[Symbol.asyncIterator]()
    await reader.next()
    // Round trips through the same connection and event loops: the stream had its turns.
    for (let turn = 0; turn < 200; turn++) await client.say({})
    expect(made).toBeLessThan(200_000)
    await reader.return?.()
  })

  it('deliver what came before the error, then the error', async () => {
    const { client } = await start({
      handlers: {
        count: async function* () {
          for (let value = 0; value < 500; value++) yield { value }
          throw new BerthError('ENGINE_FAILED', 'It crashed.', { facts: { exit_code: 9 } })
        },
      },
    })
    const got: { value: number }[] = []
    await expect(collect(client.count({}), got)).rejects.toMatchObject({
      reason: 'ENGINE_FAILED',
      facts: { exit_code: 9 },
    })
    expect(got).toHaveLength(500)
  })

  it('abort the signal of the handler when the reader stops early', async () => {
    const { promise, resolve } = Promise.withResolvers<BerthError>()
    const { client } = await start({
      handlers: {
        count: async function* (_, context) {
          void aborted(context).then(resolve)
          for (let value = 0; ; value++) yield { value }
        },
      },
    })
    for await (const { value } of client.count({})) if (value > 10) break
    expect((await promise).reason).toBe('CANCELLED')
  })

  it('end at their deadline', async () => {
    const { client } = await start({
      handlers: {
        count: async function* (_, context) {
          yield { value: 1 }
          throw await aborted(context)
        },
      },
    })
    expect(await reasonOf(collect(client.count({}, { deadlineMs: 100 })))).toBe('RPC_DEADLINE')
  })
})

describe('bidi streams', () => {
  it('carry messages both ways and end with OK when the handler returns', async () => {
    const { client } = await start()
    const stream = client.talk()
    const reading = collect(stream.messages)
    const texts = Array.from({ length: 2_000 }, (_, index) => String(index))
    for (const text of texts) stream.send({ text })
    stream.end()
    expect((await reading).map(({ text }) => text)).toEqual(texts)
    expect(stream.bufferedMessages).toBe(0)
  })

  it('end with what the handler throws, after what it sent', async () => {
    const { client } = await start({
      handlers: {
        talk: async (stream) => {
          for (let n = 0; n < 300; n++) stream.send({ text: String(n) })
          throw new BerthError('NOT_LEADER', 'Another one leads.', { facts: { term: 7 } })
        },
      },
    })
    const got: unknown[] = []
    await expect(collect(client.talk().messages, got)).rejects.toMatchObject({
      reason: 'NOT_LEADER',
      facts: { term: 7 },
    })
    expect(got).toHaveLength(300)
  })

  it('outlive the default deadline once accepted', async () => {
    const { address } = await start()
    const clock = createSimClock()
    using client = createClient(EchoService, { address, clock, defaultDeadlineMs: 100 })
    const stream = client.talk()
    const reader = stream.messages[Symbol.asyncIterator]()
    stream.send({ text: 'first' })
    await reader.next()
    await clock.advance(60_000)
    stream.send({ text: 'second' })
    await expect(reader.next()).resolves.toMatchObject({ value: { text: 'second' } })
    expect(clock.pending()).toBe(0)
  })

  it('fail with RPC_DEADLINE when they are not accepted in time', async () => {
    const clock = createSimClock()
    // Not closed by grpc-js while it waits for the first frame of its peer.
    const silent = createServer((socket) => socket.unref())
    const port = await listen(silent, { host: '127.0.0.1', port: 0, what: 'silent server' })
    const address = `127.0.0.1:${port}`
    using client = createClient(EchoService, { address, clock, defaultDeadlineMs: 100 })
    const failed = reasonOf(collect(client.talk().messages))
    await clock.advance(100)
    expect(await failed).toBe('RPC_DEADLINE')
    silent.close()
  })

  it('abort the signal and fail the messages of the handler when the client destroys', async () => {
    const { promise, resolve } = Promise.withResolvers<[BerthError, unknown]>()
    const { client } = await start({
      handlers: {
        talk: async (stream: ServerTalk, context) => {
          stream.send({ text: 'welcome' })
          const reading = collect(stream.messages).catch((error: unknown) => error)
          resolve([await aborted(context), await reading])
        },
      },
    })
    const stream = client.talk()
    const reader = stream.messages[Symbol.asyncIterator]()
    await reader.next()
    stream.destroy(new BerthError('SLOW_CONSUMER', 'Given up.'))
    expect(await reasonOf(reader.next())).toBe('SLOW_CONSUMER')
    expect(stream.send({ text: 'late' })).toBe(false)
    const [why, seen] = await promise
    expect([why.reason, (seen as BerthError).reason]).toEqual(['CANCELLED', 'CANCELLED'])
  })

  it('fail with CANCELLED when the signal of the client aborts', async () => {
    const { client } = await start()
    const controller = new AbortController()
    const stream = client.talk({ signal: controller.signal })
    const reader = stream.messages[Symbol.asyncIterator]()
    stream.send({ text: 'a' })
    await reader.next()
    controller.abort()
    expect(await reasonOf(reader.next())).toBe('CANCELLED')
  })

  it('tell the client with which error the server destroyed them', async () => {
    const { client } = await start({
      handlers: {
        talk: async (stream) => {
          stream.destroy(new BerthError('SLOW_CONSUMER', 'Too slow.', { facts: { limit: 3 } }))
        },
      },
    })
    await expect(collect(client.talk().messages)).rejects.toMatchObject({
      reason: 'SLOW_CONSUMER',
      facts: { limit: 3 },
    })
  })

  it('are dropped, not grown, when the peer does not read', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const { client } = await start({
      handlers: {
        talk: async (stream, context) => {
          stream.send({ text: 'welcome' })
          resolve(await aborted(context))
        },
      },
    })
    const stream = client.talk()
    const reader = stream.messages[Symbol.asyncIterator]()
    await reader.next()
    const text = 'x'.repeat(1_000)
    let sent = 0
    while (stream.send({ text })) sent++
    expect(stream.bufferedMessages).toBe(SEND_HIGH_WATER)
    for (; sent < 2 * SEND_LIMIT; sent++) stream.send({ text })
    expect(stream.bufferedMessages).toBeLessThan(SEND_HIGH_WATER)
    expect(await reasonOf(reader.next())).toBe('SLOW_CONSUMER')
    expect(await promise).toMatchObject({ reason: 'CANCELLED' })
  })

  it('slow the sender down when the handler does not read', async () => {
    const go = Promise.withResolvers<boolean>()
    const counted = Promise.withResolvers<number>()
    const { client } = await start({
      handlers: {
        talk: async (stream) => {
          await go.promise
          counted.resolve((await collect(stream.messages)).length)
        },
      },
    })
    const stream = client.talk()
    const text = 'x'.repeat(5_000)
    for (let sent = 0; sent < 2_000; sent++) stream.send({ text })
    for (let turn = 0; turn < 100; turn++) await client.say({})
    // 10 MB were sent; what the handler did not ask for stays here.
    expect(stream.bufferedMessages).toBeGreaterThan(1_000)
    go.resolve(true)
    stream.end()
    expect(await counted.promise).toBe(2_000)
  })
})
