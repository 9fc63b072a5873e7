import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { serveStatus } from './http-status-server.ts'
import { listen } from './listen.ts'
import { createSilentLogger } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { createScope } from './scope.ts'

let scope = createScope()
afterEach(async () => {
  await scope[Symbol.asyncDispose]()
  scope = createScope()
})

const serve = async (
  isReady = true,
  metrics: Metrics = scope.use(createMetrics('orchestratord')),
) => {
  const { port } = scope.use(
    await serveStatus({
      host: '127.0.0.1',
      port: 0,
      metrics,
      ready: () => ({ ready: isReady, facts: { bus: isReady ? 'connected' : 'down' } }),
      log: createSilentLogger(),
    }),
  )
  return (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init)
}

describe('the status server', () => {
  it('answers that the process lives, ready or not', async () => {
    const get = await serve(false)
    expect((await get('/healthz')).status).toBe(200)
  })

  it.each([
    [true, 200, { ready: true, bus: 'connected' }],
    [false, 503, { ready: false, bus: 'down' }],
  ])('answers readiness %s with %d and the facts', async (isReady, status, body) => {
    const answer = await (await serve(isReady))('/readyz')
    expect(answer.status).toBe(status)
    expect(await answer.json()).toEqual(body)
  })

  it('shows the metrics of the service and of its process', async () => {
    const metrics = scope.use(createMetrics('orchestratord'))
    metrics.counter('berth_gateway_retries_total').inc({ reason: 'broken' }, 2)
    const answer = await (await serve(true, metrics))('/metrics')
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    const text = await answer.text()
    expect(text).toContain('berth_gateway_retries_total{reason="broken"} 2')
    expect(text).toMatch(/^process_resident_memory_bytes [1-9]\d+$/m)
    expect(text).toMatch(/^process_event_loop_delay_seconds\{quantile="0.99"\} /m)
    expect(text).toMatch(/^process_open_handles /m)
    expect(text).not.toContain('NaN')
  })

  it('refuses what it does not serve', async () => {
    const get = await serve()
    expect((await get('/v1/models')).status).toBe(404)
    const posted = await get('/healthz', { method: 'POST' })
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })
})

describe('a port that is taken', () => {
  it('is refused with the process that holds it and the setting to change', async () => {
    const holder = createServer()
    const port = await listen(holder, { host: '127.0.0.1', port: 0, what: 'holder' })
    scope.defer(() => void holder.close())
    const options = { host: '127.0.0.1', port, what: 'HTTP server', setting: 'http_port' }
    const refused = await listen(createServer(), options).then(String, (error: unknown) => error)
    expect(refused).toMatchObject({
      reason: 'PORT_IN_USE',
      message: expect.stringMatching(
        new RegExp(`process ${process.pid} .*--http-port \\(BERTH_HTTP_PORT\\)`),
      ),
      facts: { port, holder_pid: process.pid },
    })
  })

  it('is told apart from an address that is not of this machine', async () => {
    const refused = listen(createServer(), { host: '192.0.2.1', port: 0, what: 'HTTP server' })
    await expect(refused).rejects.toMatchObject({ reason: 'CONFIG_INVALID' })
  })
})
