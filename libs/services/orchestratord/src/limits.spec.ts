import { connect } from 'node:net'
import { once } from 'node:events'
import { describe, expect, it } from '@jest/globals'
import { LeaseOutcome } from '@berth/contract'
import { createSimClock } from '@berth/kernel/testing'
import { CHAT, chat, startGateway } from './testing/gateway-rig.ts'
import { startScriptedCore } from './testing/scripted-core.ts'
import { openStream, startScriptedIngress, type IngressCall } from './testing/scripted-ingress.ts'
import { until } from './testing/until.ts'
import { createWaitingJobs } from './waiting-jobs.ts'

const coreThatAssigns = (ingress: { readonly address: string }) =>
  startScriptedCore({
    onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
  })

describe('a request with a deadline', () => {
  const headers = { 'X-Deadline-Ms': '200' }

  it('is cut off when its engine has not begun to answer by then', async () => {
    await using ingress = await startScriptedIngress(() => undefined)
    await using core = await coreThatAssigns(ingress)
    await using gateway = await startGateway([core.address])

    const answer = await gateway.post(CHAT, chat(), { headers })

    expect(answer.status).toBe(504)
    expect(await answer.json()).toMatchObject({ error: { code: 'DECODE_TIMEOUT' } })
    await until('the engine is told', () => ingress.calls[0]?.isAborted)
    const release = await until('the lease is released', () => core.releases()[0])
    expect(release.outcome).toBe(LeaseOutcome.CLIENT_GONE)
  })

  it('is cut off in the middle of a stream, with an error event', async () => {
    await using ingress = await startScriptedIngress((call) => openStream(call))
    await using core = await coreThatAssigns(ingress)
    await using gateway = await startGateway([core.address])

    const answer = await gateway.post(CHAT, chat({ stream: true }), { headers })
    const text = await answer.text()

    expect(text).toMatch(/^data: {"n":1}\n\n\ndata: {.*"code":"DECODE_TIMEOUT"/)
    expect(text).not.toContain('[DONE]')
    await until('the engine is told', () => ingress.calls[0]?.isAborted)
  })

  it('is left alone once it is answered', async () => {
    await using ingress = await startScriptedIngress(({ res }) => res.end('{}'))
    await using core = await coreThatAssigns(ingress)
    await using gateway = await startGateway([core.address])

    const answer = await gateway.post(CHAT, chat(), { headers: { 'X-Deadline-Ms': '60000' } })

    expect(await answer.text()).toBe('{}')
  })
})

describe('a client that does not read', () => {
  it('holds its engine up for as long as it may, and is then cut off', async () => {
    const flood = ({ res }: IngressCall) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' })
      const line = `data: ${'x'.repeat(65_536)}\n\n`
      const pour = () => {
        while (!res.destroyed && res.write(line));
      }
      res.on('drain', pour)
      pour()
    }
    await using ingress = await startScriptedIngress(flood)
    await using core = await coreThatAssigns(ingress)
    await using gateway = await startGateway([core.address], { slowReaderMs: 1_000 })
    const socket = connect(gateway.port, '127.0.0.1').pause()
    await once(socket, 'connect')
    const body = JSON.stringify(chat({ stream: true }))
    socket.write(
      `POST ${CHAT} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )

    const release = await until('the lease is released', () => core.releases()[0])

    expect(release.outcome).toBe(LeaseOutcome.CLIENT_GONE)
    await until('the engine is told', () => ingress.calls[0]?.isAborted)
    socket.destroy()
  })
})

describe('the jobs that wait in a gateway', () => {
  const createJobs = (maxWaiting: number) => {
    const clock = createSimClock()
    const jobs = createWaitingJobs({
      ...{ clock, maxWaiting, addresses: ['core:1'], coreWaitMs: 10_000 },
      cancel: () => undefined,
    })
    const add = (jobId: string) =>
      jobs.add(
        {
          ...{ jobId, job: {}, arrivedAtMs: 0, maxWaitMs: 60_000, excluded: [], attempt: 0 },
          signal: new AbortController().signal,
          onQueued: () => undefined,
        },
        true,
        () => undefined,
      )
    return { jobs, add, clock }
  }

  it('are 20,000 at most; one more is told to come again', async () => {
    const { jobs, add } = createJobs(20_000)
    const waiting = Array.from({ length: 20_000 }, (_, n) => add(`j${n}`))
    expect(jobs.size).toBe(20_000)
    expect(await add('one-more')).toMatchObject({
      kind: 'rejected',
      error: { reason: 'REPLICA_EXHAUSTED', retryAfterMs: 1_000 },
    })
    jobs.close()
    await Promise.all(waiting)
    expect(jobs.size).toBe(0)
  })

  it('leave no timer behind, however they end', async () => {
    const { jobs, add, clock } = createJobs(3)
    const waiting = [add('a'), add('b'), add('c')]
    jobs.onDown()
    jobs.settle('a', { kind: 'cancelled' })
    jobs.onUp()
    await clock.advance(65_000)
    expect((await Promise.all(waiting)).map(({ kind }) => kind)).toEqual([
      'cancelled',
      'rejected',
      'rejected',
    ])
    expect(clock.pending()).toBe(0)
  })
})
