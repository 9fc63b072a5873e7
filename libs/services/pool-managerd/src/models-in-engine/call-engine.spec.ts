import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { systemClock } from '@berth/runtime'
import type { CallSign } from '@berth/supervision'
import { callEngine, type CallEnd } from './call-engine.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

const seen: string[] = []
/** Lines as an engine tells them: `done`, `bad`, or progress. */
const readLine = (line: string): CallSign | undefined => {
  seen.push(line)
  if (line === 'done') return { kind: 'done' }
  const report = { kind: 'exit', message: line, isRetriable: true } as const
  return line === 'bad' ? { kind: 'failed', report } : undefined
}

const call = async (
  answer: RequestListener,
  signal = new AbortController().signal,
  timeoutMs = 10_000,
): Promise<CallEnd> => {
  seen.length = 0
  const listening = createServer(answer)
  servers.push(listening)
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  const { port } = listening.address() as AddressInfo
  const access = { baseUrl: `http://127.0.0.1:${port}`, headers: {} }
  const asked = { method: 'POST', path: '/x', body: '{}', timeoutMs } as const
  return callEngine(access, asked, { clock: systemClock(), signal, readLine })
}

describe('a call to an engine', () => {
  it('reads its answer line by line, whatever the pieces, also characters cut in two', async () => {
    const text = Buffer.from('é1\n\né2\ndone')
    const end = await call((_request, response) => {
      for (const byte of text) response.write(Buffer.from([byte]))
      response.end()
    })
    expect(end).toEqual({ kind: 'done' })
    expect(seen).toEqual(['é1', 'é2', 'done'])
  })

  it('keeps no more of a line than any engine has to say', async () => {
    const end = await call((_request, response) => {
      for (let n = 0; n < 40; n += 1) response.write('x'.repeat(100_000))
      response.end('\ndone\n')
    })
    expect(end).toEqual({ kind: 'done' })
    expect(seen[0]!.length).toBeLessThan(200_000)
  })

  it('fails with what a line says after a 200', async () => {
    const end = await call((_request, response) => void response.end('1\nbad\ndone\n'))
    expect(end).toMatchObject({ kind: 'failed', report: { message: 'bad' } })
  })

  it('is cut when the answer ends without a word of how it went, or breaks off', async () => {
    expect((await call((_request, response) => void response.end('1\n'))).kind).toBe('cut')
    const broken = await call((_request, response) => {
      response.write('1\n')
      setImmediate(() => response.destroy())
    })
    expect(broken.kind).toBe('cut')
  })

  it('ends when nothing comes for too long, and when nobody waits for it', async () => {
    const silent = await call((_request, response) => response.flushHeaders(), undefined, 50)
    expect(silent).toMatchObject({ kind: 'silent' })
    const given = new AbortController()
    const cancelled = await call(() => given.abort(), given.signal)
    expect(cancelled).toEqual({ kind: 'cancelled' })
  })
})
