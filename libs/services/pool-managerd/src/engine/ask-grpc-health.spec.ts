import { createServer, type AddressInfo, type Server } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { serveRpc, type RpcServer } from '@berth/rpc'
import { createSilentLogger, systemClock } from '@berth/runtime'
import type { EngineAccess } from '@berth/supervision'
import { askEngine } from './ask-engine.ts'
import { readGrpcHealth, withProbing } from './probing.ts'

let server: RpcServer | undefined
let mute: Server | undefined
afterEach(async () => {
  await server?.[Symbol.asyncDispose]()
  mute?.close()
  server = undefined
})

const serve = async () => {
  const log = createSilentLogger()
  server = await serveRpc({ host: '127.0.0.1', port: 0, services: [], log, drainTimeoutMs: 0 })
  return server
}
const accessTo = (port: number): EngineAccess => ({
  baseUrl: `http://127.0.0.1:${port}`,
  headers: {},
  readyProbes: [{ path: '/health', timeoutMs: 9_000 }],
  connections: 'fresh',
})
const ask = async (port: number, service = '', timeoutMs = 5_000) => {
  const access = withProbing(accessTo(port), { timeoutMs, grpc: { service } })
  const [probe] = access.readyProbes
  const response = await askEngine(systemClock())(access, probe!, new AbortController().signal)
  return readGrpcHealth(service, response)
}

describe('the standard health check of gRPC, as a probe [002-10b]', () => {
  it('is healthy while the server says that it serves', async () => {
    const { port } = await serve()
    expect(await ask(port)).toEqual({ verdict: 'healthy' })
  })

  it('is unhealthy when the server says that it does not serve', async () => {
    const { port, setServing } = await serve()
    setServing(false)
    expect(await ask(port)).toEqual({
      verdict: 'unhealthy',
      fact: 'gRPC health of the server is NOT_SERVING',
    })
  })

  it('is unhealthy for a service that is not there, and where nobody listens', async () => {
    const { port } = await serve()
    expect(await ask(port, 'engine.v1.Engine')).toMatchObject({
      verdict: 'unhealthy',
      fact: expect.stringContaining('gRPC health of engine.v1.Engine: '),
    })
    await server?.[Symbol.asyncDispose]()
    server = undefined
    expect(await ask(port)).toMatchObject({ verdict: 'unhealthy' })
  })

  it('is unknown when no answer comes in time', async () => {
    const silent = (mute = createServer((socket) => socket.unref()))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    silent.unref()
    expect(await ask((silent.address() as AddressInfo).port, '', 200)).toEqual({
      verdict: 'unknown',
      fact: 'gRPC health of the server timed out',
    })
  })

  it('may be on another port than the API, and is asked instead of the routes of the driver', () => {
    const probing = { timeoutMs: 200, grpc: { service: 'a', port: 7 } }
    expect(withProbing(accessTo(1), probing).readyProbes).toEqual([
      { protocol: 'grpc', path: 'a', timeoutMs: 200, port: 7 },
    ])
  })

  it('that answers after a second is degraded', () => {
    const answer = { kind: 'answer', status: 200, body: 'SERVING', tookMs: 1_001 } as const
    expect(readGrpcHealth('', answer)).toEqual({ verdict: 'degraded' })
    expect(readGrpcHealth('', { ...answer, tookMs: 1_000 })).toEqual({ verdict: 'healthy' })
  })
})

it('a pool says how long its engine may take to answer [002-10b2]', () => {
  expect(withProbing(accessTo(1), { timeoutMs: 70 }).readyProbes).toEqual([
    { path: '/health', timeoutMs: 70 },
  ])
})
