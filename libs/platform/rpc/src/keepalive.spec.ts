import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from '@jest/globals'
import type { BerthError } from '@berth/kernel'
import { createClient } from './client.ts'
import { reasonOf, startEchoFleet } from './testing/echo-fleet.ts'
import { EchoService } from './testing/gen/echo_pb.ts'

/** Twice what keepalive needs, and the start of a process on a busy machine. */
const TIMEOUT_MS = 20_000

let peer: ChildProcess | undefined
afterEach(() => {
  peer?.kill('SIGKILL')
})

/** Starts a peer and resolves with the first line it prints. */
const startPeer = async (...args: string[]): Promise<{ child: ChildProcess; line: string }> => {
  const file = new URL('./testing/echo-peer/main.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] },
  })
  peer = child
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, line: chunk.toString().trim() }
}

describe('keepalive', () => {
  it(
    'ends the streams of a client whose server froze',
    async () => {
      const { child, line } = await startPeer('serve')
      using client = createClient(EchoService, {
        address: `127.0.0.1:${line}`,
        defaultDeadlineMs: 10_000,
      })
      const stream = client.talk()
      const reader = stream.messages[Symbol.asyncIterator]()
      stream.send({ text: 'hello' })
      await reader.next()
      child.kill('SIGSTOP')
      expect(await reasonOf(reader.next())).toBe('RPC_UNAVAILABLE')
    },
    TIMEOUT_MS,
  )

  it(
    'aborts the handlers of a server whose client froze',
    async () => {
      const lost = Promise.withResolvers<BerthError>()
      await using fleet = await startEchoFleet({
        handlers: {
          talk: async (stream, { signal }) => {
            signal.addEventListener('abort', () => lost.resolve(signal.reason as BerthError))
            for await (const { text } of stream.messages) stream.send({ text })
          },
        },
      })
      const { child } = await startPeer('talk', fleet.address)
      child.kill('SIGSTOP')
      expect((await lost.promise).reason).toBe('CANCELLED')
    },
    TIMEOUT_MS,
  )
})
