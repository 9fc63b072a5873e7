import { connect, createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { LeaseOutcome } from '@berth/contract'
import { CHAT, chat, startGateway } from './testing/gateway-rig.ts'
import { startScriptedCore } from './testing/scripted-core.ts'
import { openStream, startScriptedIngress } from './testing/scripted-ingress.ts'
import { until } from './testing/until.ts'

const NOWHERE = ['127.0.0.1:1']

describe('a gateway that starts', () => {
  it('refuses an address that others can reach, and says what to do', async () => {
    const start = startGateway(NOWHERE, { httpHost: '0.0.0.0', isWithoutCore: true })
    await expect(start).rejects.toMatchObject({
      reason: 'CONFIG_INVALID',
      message: expect.stringContaining('--insecure') as unknown,
    })
  })

  it('names the holder of a taken port', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as AddressInfo
    const start = startGateway(NOWHERE, { httpPort: port, isWithoutCore: true })
    await expect(start).rejects.toMatchObject({
      reason: 'PORT_IN_USE',
      facts: { port, holder_pid: process.pid },
    })
    holder.close()
  })
})

describe('a gateway that stops', () => {
  it('lets a stream in flight finish and takes nothing new', async () => {
    await using ingress = await startScriptedIngress((call) => openStream(call))
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
    })
    const gateway = await startGateway([core.address], { drainTimeoutMs: 20_000 })
    const answer = await gateway.post(CHAT, chat({ stream: true }))

    const stopped = gateway[Symbol.asyncDispose]()
    await until('new connections are refused', () =>
      fetch(`${gateway.url}/healthz`, { headers: { connection: 'close' } }).then(
        () => false,
        () => true,
      ),
    )
    ingress.calls[0]!.res.end('data: [DONE]\n\n')

    expect(await answer.text()).toMatch(/data: \[DONE\]\n\n$/)
    await stopped
    const release = await until('the lease is released', () => core.releases()[0])
    expect(release.outcome).toBe(LeaseOutcome.COMPLETED)
  })

  it('ends with an error event what outlives the drain', async () => {
    await using ingress = await startScriptedIngress((call) => openStream(call))
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
    })
    const gateway = await startGateway([core.address], { drainTimeoutMs: 50 })
    const answer = await gateway.post(CHAT, chat({ stream: true }))

    await gateway[Symbol.asyncDispose]()

    const text = await answer.text()
    expect(text).toContain('"code":"WORKER_RESET"')
    expect(text).not.toContain('[DONE]')
    await until('the upstream request is aborted', () => ingress.calls[0]?.isAborted)
    // Told before the session ended: nothing is left for core to reclaim.
    expect(core.releases().map(({ leaseId }) => leaseId)).toEqual(['lease-1'])
  })

  it('says so, and ends connections that clients keep', async () => {
    await using ingress = await startScriptedIngress((call) => openStream(call))
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
    })
    const gateway = await startGateway([core.address], { drainTimeoutMs: 20_000 })
    const answer = await gateway.post(CHAT, chat({ stream: true }))
    const kept = connect(gateway.port, '127.0.0.1')
    await once(kept, 'connect')
    const readyz = async () => {
      kept.write('GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n')
      return String(((await once(kept, 'data')) as [Buffer])[0])
    }
    expect(await readyz()).toMatch(/^HTTP\/1.1 200 /)
    const ended = once(kept, 'close')

    const stopped = gateway[Symbol.asyncDispose]()
    await ended

    ingress.calls[0]!.res.end('data: [DONE]\n\n')
    expect(await answer.text()).toMatch(/\[DONE\]/)
    await stopped
  })

  it('gives up what still waits for a slot when the drain is over', async () => {
    await using core = await startScriptedCore({ onAcquire: () => undefined })
    const gateway = await startGateway([core.address], { drainTimeoutMs: 50 })
    const pending = gateway.post(CHAT, chat())
    await until('the job waits', () => core.acquires().length === 1)

    await gateway[Symbol.asyncDispose]()

    expect((await pending).status).toBe(502)
    expect(core.cancels().map(({ jobId }) => jobId)).toEqual([core.acquires()[0]?.jobId])
  })
})
