import { createServer, type Server } from 'node:http'
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

/** An engine that takes a request and never says a word. */
const startMute = async () => {
  const asked = Promise.withResolvers<undefined>()
  const mute = (server = createServer(() => asked.resolve(undefined)))
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
  const { port } = mute.address() as AddressInfo
  return {
    asked: asked.promise,
    access: {
      baseUrl: `http://127.0.0.1:${port}`,
      headers: {},
      readyProbes: [],
      connections: 'fresh',
    } as const,
  }
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
})
