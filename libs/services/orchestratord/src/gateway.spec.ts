import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { describe, expect, it } from '@jest/globals'
import { LeaseOutcome } from '@berth/contract'
import { CHAT, chat, startGateway } from './testing/gateway-rig.ts'
import { startScriptedCore } from './testing/scripted-core.ts'
import {
  answerJson,
  openStream,
  refuse,
  startScriptedIngress,
  type IngressCall,
} from './testing/scripted-ingress.ts'
import { until } from './testing/until.ts'

describe('a request through the gateway', () => {
  it('forwards the bytes and the correlation id untouched and nothing of the credentials', async () => {
    await using ingress = await startScriptedIngress((call) => answerJson(call))
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
    })
    await using gateway = await startGateway([core.address])
    const body = '{ "model":"m",  "unknown": [1, 2.50e1], "max_tokens": 9 }'

    const answer = await gateway.post(`${CHAT}?a=b`, body, {
      headers: { Authorization: 'Bearer secret', Cookie: 'a=b', 'X-Correlation-Id': 'me-1' },
    })

    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ ok: true })
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'x-correlation-id': 'me-1',
      'x-berth-pool': 'pool-a',
      'x-berth-queue-ms': '7',
      'x-berth-retries': '0',
    })
    expect(answer.headers.has('berth-instance')).toBe(false)
    const [call] = ingress.calls
    expect(call?.body).toBe(body)
    expect(call?.path).toBe(`${CHAT}?a=b`)
    expect(call?.headers).toMatchObject({
      'berth-lease': 'token-lease-1',
      'x-correlation-id': 'me-1',
    })
    expect(call?.headers).not.toHaveProperty('authorization')
    expect(call?.headers).not.toHaveProperty('cookie')
  })

  it.each([
    '/v1/chat/completions/?a=b',
    '/V1/Chat/Completions?a=b',
    'http://else/v1/chat/completions?a=b',
  ])(
    'goes to the ingress under the name of its route when it was asked for as %s',
    async (target) => {
      await using ingress = await startScriptedIngress((call) => answerJson(call))
      await using core = await startScriptedCore({
        onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
      })
      await using gateway = await startGateway([core.address])

      const asked = request({ port: gateway.port, method: 'POST', path: target }).end(
        JSON.stringify(chat()),
      )
      const [answer] = (await once(asked, 'response')) as [IncomingMessage]

      expect(answer.resume().statusCode).toBe(200)
      expect(ingress.calls[0]?.path).toBe(`${CHAT}?a=b`)
    },
  )

  it('tells core what placement needs and releases the lease once, with usage', async () => {
    await using ingress = await startScriptedIngress((call) => answerJson(call))
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
    })
    await using gateway = await startGateway([core.address])

    await gateway.post(CHAT, chat({ max_completion_tokens: 12, stream: true }), {
      headers: { 'X-Deadline-Ms': '5000', 'X-Max-Wait-Ms': '0', 'X-Session-Id': 's-1' },
    })

    const [release] = await until('core knows the release', () => has(core.releases()))
    expect(core.acquires()[0]?.job).toMatchObject({
      modelId: 'm',
      route: CHAT,
      maxTokens: 12,
      deadlineMs: 5000,
      stream: true,
      sessionId: 's-1',
    })
    const { waitedMs, job } = core.acquires()[0]!
    expect(job?.maxWaitMs).toBe(waitedMs + 1)
    expect(release).toMatchObject({
      leaseId: 'lease-1',
      outcome: LeaseOutcome.COMPLETED,
      tokensIn: 3,
      tokensOut: 5,
    })
    expect(release?.firstTokenMs).toBeGreaterThan(0)
    expect(core.releases()).toHaveLength(1)
  })

  it('relays each event as it comes', async () => {
    await using ingress = await startScriptedIngress((call) => openStream(call))
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
    })
    await using gateway = await startGateway([core.address])

    const answer = await gateway.post(CHAT, chat({ stream: true }))
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()

    expect((await reader.read()).value).toBe('data: {"n":1}\n\n')
    ingress.calls[0]!.res.end('data: [DONE]\n\n')
    expect((await reader.read()).value).toBe('data: [DONE]\n\n')
    expect((await reader.read()).done).toBe(true)
  })

  it("relays the engine's own errors and counts them against the engine", async () => {
    await using ingress = await startScriptedIngress((call) => answerJson(call, 422, { e: 1 }))
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
    })
    await using gateway = await startGateway([core.address])

    const answer = await gateway.post(CHAT, chat())

    expect(answer.status).toBe(422)
    expect(await answer.json()).toEqual({ e: 1 })
    const [release] = await until('core knows the release', () => has(core.releases()))
    expect(release?.outcome).toBe(LeaseOutcome.ENGINE_ERROR)
  })
})

describe('a retry before the first byte', () => {
  it('[004-21a] goes to another pool after a refusal, and the client does not see it', async () => {
    await using bad = await startScriptedIngress((call) => refuse(call, 'draining'))
    await using good = await startScriptedIngress((call) => answerJson(call))
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => {
        const isFirst = acquire.exclusions.length === 0
        if (isFirst) session.assign(acquire, bad.address, 'pool-a')
        else session.assign(acquire, good.address, 'pool-b')
      },
    })
    await using gateway = await startGateway([core.address])

    const answer = await gateway.post(CHAT, chat())

    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-berth-pool')).toBe('pool-b')
    expect(answer.headers.get('x-berth-retries')).toBe('1')
    const releases = await until('both are released', () => has(core.releases(), 2))
    expect(releases.map(({ outcome }) => outcome)).toEqual([
      LeaseOutcome.REFUSED,
      LeaseOutcome.COMPLETED,
    ])
    expect(core.acquires()[1]?.exclusions).toMatchObject([
      { poolId: 'pool-a', instanceId: 'pool-a-1' },
    ])
  })

  it('does not hold a passing shortage of slots against the pool', async () => {
    let refusals = 1
    await using ingress = await startScriptedIngress((call) =>
      refusals-- > 0 ? refuse(call, 'no_slot') : answerJson(call),
    )
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
    })
    await using gateway = await startGateway([core.address])

    expect((await gateway.post(CHAT, chat())).status).toBe(200)
    expect(core.acquires().map(({ exclusions }) => exclusions.length)).toEqual([0, 0])
  })

  it('[003-AC-043, 003-AC-044] follows a connection failure and an answer that broke off before its first byte', async () => {
    await using dying = await startScriptedIngress(({ res }) => {
      res.writeHead(200, { 'Content-Type': 'application/json' })
      res.flushHeaders()
      res.destroy()
    })
    await using good = await startScriptedIngress((call) => answerJson(call))
    const targets = ['127.0.0.1:1', dying.address, good.address]
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) =>
        void session.assign(acquire, targets[acquire.attempt]!, `pool-${acquire.attempt}`),
    })
    await using gateway = await startGateway([core.address])

    const answer = await gateway.post(CHAT, chat())

    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-berth-retries')).toBe('2')
    const releases = await until('all are released', () => has(core.releases(), 3))
    expect(releases.map(({ outcome }) => outcome)).toEqual([
      LeaseOutcome.UNREACHABLE,
      LeaseOutcome.UNREACHABLE,
      LeaseOutcome.COMPLETED,
    ])
  })

  it('[003-AC-042, 003-AC-044] ends with a 503 after the third failure', async () => {
    await using bad = await startScriptedIngress((call) => refuse(call, 'not_ready'))
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, bad.address),
    })
    await using gateway = await startGateway([core.address])

    const answer = await gateway.post(CHAT, chat())

    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(await answer.json()).toMatchObject({
      error: { code: 'POOL_UNAVAILABLE', retriable: true, pool_id: 'pool-a' },
    })
    expect(bad.calls).toHaveLength(3)
  })

  it('follows a lease that core revokes before the first byte', async () => {
    await using ingress = await startScriptedIngress((call) => {
      if (ingress.calls.length > 1) answerJson(call)
    })
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
    })
    await using gateway = await startGateway([core.address])

    const pending = gateway.post(CHAT, chat())
    await until('the request is at the ingress', () => ingress.calls.length === 1)
    core.sendAll({ case: 'revoked', value: { leaseId: 'lease-1', reason: 'the pool is gone' } })

    expect((await pending).status).toBe(200)
    expect(ingress.calls[0]?.isAborted).toBe(true)
  })
})

describe('an answer that breaks off after its first byte', () => {
  it('[004-11b] ends a stream with an error event on a line of its own, no [DONE] and no other pool', async () => {
    await using ingress = await startScriptedIngress((call) => {
      openStream(call, 'data: {"n":1}\n\ndata: {"n":')
    })
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
    })
    await using gateway = await startGateway([core.address])

    const answer = await gateway.post(CHAT, chat({ stream: true }))
    ingress.calls[0]!.res.destroy()
    const text = await answer.text()

    const events = text.split('\n').filter((line) => line.startsWith('data: '))
    expect(events).toHaveLength(2)
    expect(JSON.parse(events[1]!.slice(6))).toMatchObject({
      error: { code: 'WORKER_RESET', retriable: true, pool_id: 'pool-a' },
    })
    expect(text).not.toContain('[DONE]')
    const [release] = await until('core knows the release', () => has(core.releases()))
    expect(release?.outcome).toBe(LeaseOutcome.BROKEN)
    expect(ingress.calls).toHaveLength(1)
  })

  it('breaks the connection of a client that does not stream', async () => {
    await using ingress = await startScriptedIngress(({ res }) => {
      res.writeHead(200, { 'Content-Type': 'application/json' })
      res.write('{"half":')
    })
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
    })
    await using gateway = await startGateway([core.address])

    const answer = await gateway.post(CHAT, chat())
    ingress.calls[0]!.res.destroy()

    await expect(answer.text()).rejects.toThrow()
  })
})

describe('a client that leaves', () => {
  it('takes its job out of the queue', async () => {
    await using core = await startScriptedCore({
      onAcquire: ({ jobId }, session) =>
        session.send({ case: 'queued', value: { jobId, position: 1 } }),
    })
    await using gateway = await startGateway([core.address])
    const leaving = new AbortController()

    const pending = gateway.post(CHAT, chat(), { signal: leaving.signal })
    await until('the job waits', () => core.acquires().length === 1)
    leaving.abort()

    await expect(pending).rejects.toThrow()
    const [cancel] = await until('core knows', () => has(core.cancels()))
    expect(cancel?.jobId).toBe(core.acquires()[0]?.jobId)
  })

  it('ends the upstream request and the lease before the first byte', async () => {
    await using ingress = await startScriptedIngress(() => undefined)
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
    })
    await using gateway = await startGateway([core.address])
    const leaving = new AbortController()

    const pending = gateway.post(CHAT, chat(), { signal: leaving.signal })
    await until('the request is at the ingress', () => ingress.calls.length === 1)
    leaving.abort()

    await expect(pending).rejects.toThrow()
    await until('the upstream request is aborted', () => ingress.calls[0]?.isAborted)
    const releases = await until('core knows', () => has(core.releases()))
    expect(releases.map(({ outcome }) => outcome)).toEqual([LeaseOutcome.CLIENT_GONE])
  })

  it.each([
    ['stream', (call: IngressCall) => openStream(call)],
    [
      'answer that is no stream',
      ({ res }: IngressCall) =>
        res.writeHead(200, { 'Content-Type': 'application/json' }).write('{'),
    ],
  ])('ends the upstream request and the lease in the middle of a %s', async (_what, script) => {
    await using ingress = await startScriptedIngress((call) => script(call))
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
    })
    await using gateway = await startGateway([core.address])
    const leaving = new AbortController()

    const answer = await gateway.post(CHAT, chat(), { signal: leaving.signal })
    leaving.abort()

    await expect(answer.text()).rejects.toThrow()
    await until('the upstream request is aborted', () => ingress.calls[0]?.isAborted)
    const releases = await until('core knows', () => has(core.releases()))
    expect(releases.map(({ outcome }) => outcome)).toEqual([LeaseOutcome.CLIENT_GONE])
  })
})

describe('a request that waits', () => {
  it('keeps a stream open with comments and ends it with an error event', async () => {
    await using core = await startScriptedCore({
      onAcquire: ({ jobId }, session) =>
        session.send({ case: 'queued', value: { jobId, position: 3, predictedStartMs: 41_000 } }),
    })
    await using gateway = await startGateway([core.address])

    const answer = await gateway.post(CHAT, chat({ stream: true }))
    const { jobId } = core.acquires()[0]!
    core.sendAll({
      case: 'rejected',
      value: { jobId, reason: 'QUEUE_TIMEOUT', message: 'No slot came free.' },
    })
    const text = await answer.text()

    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/)
    expect(text).toMatch(/^: queued position=3 eta_ms=41000\n\n/)
    expect(text).toContain('"code":"QUEUE_TIMEOUT"')
    expect(text).not.toContain('[DONE]')
  })

  it("turns the engine's own error into an event when comments were sent", async () => {
    await using ingress = await startScriptedIngress((call) =>
      answerJson(call, 400, { error: { message: 'too long' } }),
    )
    const jobs: (() => void)[] = []
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => {
        session.send({ case: 'queued', value: { jobId: acquire.jobId, position: 1 } })
        jobs.push(() => void session.assign(acquire, ingress.address))
      },
    })
    await using gateway = await startGateway([core.address])

    const answer = await gateway.post(CHAT, chat({ stream: true }))
    jobs[0]!()

    expect(await answer.text()).toMatch(/data: {"error":{"message":"too long"}}\n\n$/)
  })

  it('is answered with what core said when it is refused', async () => {
    await using core = await startScriptedCore({
      onAcquire: ({ jobId }, session) =>
        session.send({
          case: 'rejected',
          value: {
            jobId,
            reason: 'ADMISSION_REJECT',
            message: 'The queue is full.',
            retryAfterMs: 1_200,
            policyLabel: 'queue_full',
            placementReason: 'NO_CAPACITY',
          },
        }),
    })
    await using gateway = await startGateway([core.address])

    const answer = await gateway.post(CHAT, chat())

    expect(answer.status).toBe(429)
    expect(answer.headers.get('retry-after')).toBe('2')
    expect(answer.headers.get('x-backoff-ms')).toBe('1200')
    expect(await answer.json()).toMatchObject({
      error: {
        code: 'ADMISSION_REJECT',
        retry_after_ms: 1200,
        policy_label: 'queue_full',
        reason: 'NO_CAPACITY',
      },
    })
  })
})

const has = <T>(list: readonly T[], count = 1) => (list.length >= count ? list : undefined)
