import { describe, expect, it } from '@jest/globals'
import { LeaseOutcome } from '@berth/contract'
import { CHAT, chat, startGateway } from './testing/gateway-rig.ts'
import { startScriptedCore, welcome } from './testing/scripted-core.ts'
import { answerJson, openStream, refuse, startScriptedIngress } from './testing/scripted-ingress.ts'
import { until } from './testing/until.ts'

const nothing = () => undefined

describe('the session with core', () => {
  it('follows the leader that a standby names', async () => {
    await using ingress = await startScriptedIngress((call) => answerJson(call))
    await using leader = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
    })
    await using standby = await startScriptedCore({
      onAcquire: nothing,
      onHello: () => ({ case: 'notLeader', value: { address: leader.address, term: 1n } }),
    })
    await using gateway = await startGateway([standby.address])

    expect((await gateway.post(CHAT, chat())).status).toBe(200)
    expect(standby.acquires()).toHaveLength(0)
  })

  it('submits waiting jobs again in their order, with how long they have waited', async () => {
    await using core = await startScriptedCore({ onAcquire: nothing })
    await using gateway = await startGateway([core.address])
    const leaving = new AbortController()
    const { signal } = leaving
    const pending: Promise<unknown>[] = []
    for (const model of ['a', 'b', 'c']) {
      pending.push(gateway.post(CHAT, chat({ model }), { signal }))
      await until(`${model} waits`, () => core.acquires().some(({ job }) => job?.modelId === model))
    }
    const first = core.acquires()

    core.breakSessions()
    await until('the jobs are back', () => core.acquires().length === 6)

    const again = core.acquires().slice(3)
    expect(again.map(({ jobId }) => jobId)).toEqual(first.map(({ jobId }) => jobId))
    expect(again[0]!.waitedMs).toBeGreaterThan(first[0]!.waitedMs)
    expect(again[0]!.waitedMs).toBeGreaterThanOrEqual(again[2]!.waitedMs)
    leaving.abort()
    await Promise.allSettled(pending)
  })

  it('declares live leases to the next leader and lets their streams go on', async () => {
    await using ingress = await startScriptedIngress((call) => openStream(call))
    await using core = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
      onHello: () => welcome(3n),
    })
    await using gateway = await startGateway([core.address])
    const answer = await gateway.post(CHAT, chat({ stream: true }))

    core.breakSessions()
    const hello = await until('the gateway is back', () => core.hellos()[1])
    ingress.calls[0]!.res.end('data: [DONE]\n\n')

    expect(hello).toMatchObject({ term: 3n, session: 2n })
    expect(hello.liveLeases).toMatchObject([{ leaseId: 'lease-1', poolId: 'pool-a', modelId: 'm' }])
    expect(await answer.text()).toContain('[DONE]')
    const release = await until('the lease is released', () => core.releases()[0])
    expect(release.outcome).toBe(LeaseOutcome.COMPLETED)
  })

  it('tells a restarted core of leases that ended while it was away', async () => {
    await using ingress = await startScriptedIngress((call) => openStream(call))
    const first = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
    })
    await using gateway = await startGateway([first.address])
    const answer = await gateway.post(CHAT, chat({ stream: true }))
    await first[Symbol.asyncDispose]()
    await until('the gateway sees it', async () => !(await fetch(`${gateway.url}/readyz`)).ok)
    ingress.calls[0]!.res.end('data: [DONE]\n\n')
    await answer.text()

    await using second = await startScriptedCore({ onAcquire: nothing, port: first.port })

    const hello = await until('the gateway is back', () => second.hellos()[0])
    expect(hello.liveLeases).toEqual([])
    expect(hello.unsettled).toMatchObject([
      { lease: { leaseId: 'lease-1', poolId: 'pool-a' }, release: { sequence: 1n } },
    ])
  })

  it('gives a request up that no core takes in time', async () => {
    await using gateway = await startGateway(['127.0.0.1:1'], {
      isWithoutCore: true,
      coreWaitMs: 50,
    })

    const answer = await gateway.post(CHAT, chat())

    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('3')
    expect(await answer.json()).toMatchObject({
      error: { code: 'CONTROL_PLANE_UNAVAILABLE', retriable: true },
    })
  })

  it('lets a request wait for a core that comes back in time', async () => {
    await using ingress = await startScriptedIngress((call) => answerJson(call))
    const onAcquire: Parameters<typeof startScriptedCore>[0]['onAcquire'] = (acquire, session) =>
      void session.assign(acquire, ingress.address)
    const first = await startScriptedCore({ onAcquire })
    await using gateway = await startGateway([first.address])
    await first[Symbol.asyncDispose]()
    await until('the gateway sees it', async () => !(await fetch(`${gateway.url}/readyz`)).ok)

    const pending = gateway.post(CHAT, chat())
    await using _second = await startScriptedCore({ onAcquire, port: first.port })

    expect((await pending).status).toBe(200)
  })

  it('leaves a leader when an agent has seen a higher term, and asks it to make way', async () => {
    await using stale = await startScriptedIngress((call) => refuse(call, 'stale_term'))
    await using ingress = await startScriptedIngress((call) => answerJson(call))
    await using next = await startScriptedCore({
      onAcquire: (acquire, session) => void session.assign(acquire, ingress.address),
      onHello: () => welcome(6n),
    })
    let isReplaced = false
    await using old = await startScriptedCore({
      onAcquire: (acquire, session) => {
        isReplaced = true
        session.assign(acquire, stale.address)
      },
      onHello: ({ term }) =>
        isReplaced ? { case: 'notLeader', value: { address: next.address, term } } : welcome(5n),
    })
    await using gateway = await startGateway([old.address])

    expect((await gateway.post(CHAT, chat())).status).toBe(200)

    expect(old.hellos().at(-1)?.term).toBe(6n)
    expect(next.acquires()).toHaveLength(1)
    expect(next.hellos()[0]?.unsettled).toMatchObject([
      { release: { outcome: LeaseOutcome.REFUSED } },
    ])
  })

  it('leaves a core that has frozen for one that answers', async () => {
    await using frozen = await startScriptedCore({ onAcquire: nothing })
    await using awake = await startScriptedCore({ onAcquire: nothing })
    await using gateway = await startGateway([frozen.address, awake.address])

    frozen.freeze()
    await until('the other core is greeted', () => awake.hellos().length === 1)

    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200)
  }, 20_000)
})
