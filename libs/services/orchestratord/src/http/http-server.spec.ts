import { once } from 'node:events'
import { Agent, request, type IncomingMessage, type ServerResponse } from 'node:http'
import { describe, expect, it } from '@jest/globals'
import { seededRng } from '@berth/kernel'
import { createSimClock } from '@berth/kernel/testing'
import { until } from '../testing/until.ts'
import { serveHttp } from './http-server.ts'

const start = async () => {
  const clock = createSimClock()
  const answers: ServerResponse[] = []
  const server = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    app: (_req, res) => void answers.push(res),
    clock,
    rng: seededRng(1),
    drainTimeoutMs: 60_000,
    cutOff: () => undefined,
  })
  return { clock, answers, server }
}

/** One connection, used again and again. */
const createClient = (port: number) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  return {
    ask: async () => {
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
      request({ host: '127.0.0.1', port, agent }, resolve).on('error', reject).end()
      const answer = await promise
      return { answer, ended: once(answer.resume(), 'end') }
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}

describe('an HTTP server that stops', () => {
  it('serves what a client sends next on its connection, and tells it to close', async () => {
    const { clock, answers, server } = await start()
    using client = createClient(server.port)
    const asking = client.ask()
    const first = await until('the stream is asked for', () => answers[0])
    first.write('a')
    const streaming = await asking

    const stopped = server[Symbol.asyncDispose]()
    first.end('b')
    await streaming.ended
    await clock.advance(200)
    const askingAgain = client.ask()
    const second = await until('the next request is there', () => answers[1])
    second.end('c')
    const last = await askingAgain

    expect(streaming.answer.headers.connection).toBe('keep-alive')
    expect(last.answer.statusCode).toBe(200)
    expect(last.answer.headers.connection).toBe('close')
    await last.ended
    await stopped
  })

  it('tells a client to close whose answer has not begun', async () => {
    const { answers, server } = await start()
    using client = createClient(server.port)
    const asking = client.ask()
    const waiting = await until('the request is there', () => answers[0])

    const stopped = server[Symbol.asyncDispose]()
    waiting.end('a')

    expect((await asking).answer.headers.connection).toBe('close')
    await stopped
  })

  it('closes connections that stay idle', async () => {
    const { clock, answers, server } = await start()
    using client = createClient(server.port)
    const asking = client.ask()
    const first = await until('the stream is asked for', () => answers[0])
    first.write('a')
    const streaming = await asking

    const stopped = server[Symbol.asyncDispose]()
    first.end()
    await streaming.ended
    await until('the answer is over', () => first.closed)
    await clock.advance(1_000)

    await expect(stopped).resolves.toBeUndefined()
  })
})
