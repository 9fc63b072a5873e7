import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { createSimClock } from '@berth/kernel/testing'
import { askOverHttp } from './ask-probe.ts'

const PROBE = { path: '/health', timeoutMs: 5_000 }

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

const start = async (answer: RequestListener) => {
  const engine = (server = createServer(answer))
  await new Promise<void>((resolve) => engine.listen(0, '127.0.0.1', resolve))
  const { port } = engine.address() as AddressInfo
  const baseUrl = `http://127.0.0.1:${port}`
  return { baseUrl, headers: {}, readyProbes: [], connections: 'fresh' } as const
}

/** An engine that takes a request and never says a word. */
const startMute = async () => {
  const asked = Promise.withResolvers<undefined>()
  return { asked: asked.promise, access: await start(() => asked.resolve(undefined)) }
}

describe('a question to an engine', () => {
  it('that nobody wants answered any more ends at once and leaves no timer', async () => {
    const { access, asked } = await startMute()
    const clock = createSimClock()
    const leaving = new AbortController()
    const answer = askOverHttp(clock)(access, PROBE, leaving.signal)
    await asked
    expect(clock.pending()).toBe(1)
    leaving.abort()
    expect(await answer).toMatchObject({ kind: 'refused' })
    expect(clock.pending()).toBe(0)
  })
  it('has the list of a thousand models whole, and no answer without an end', async () => {
    const list = 'm'.repeat(500_000)
    const ask = async (answer: RequestListener) =>
      askOverHttp(createSimClock())(await start(answer), PROBE, new AbortController().signal)
    expect(await ask((_request, response) => response.end(list))).toMatchObject({ body: list })
    server?.close()
    const piece = Buffer.alloc(65_536, 'x')
    const endless = await ask((_request, response) => {
      const more = () => {
        while (response.write(piece));
        response.once('drain', more)
      }
      more()
    })
    expect(endless).toMatchObject({ kind: 'answer', status: 200 })
  })
})
