import { describe, expect, it } from '@jest/globals'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { SessionRequestSchema, type ClientFrameSchema, type SessionRequest } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { createSimClock } from '@berth/kernel/testing'
import { createSilentLogger } from '@berth/runtime'
import { createSessionServer, type SessionStream } from './session-server.ts'
import { createRig, pool } from './testing/rig.ts'

/** The near end of a stream whose far end is this spec. */
const createStream = () => {
  const sent: unknown[][] = []
  const inbox: SessionRequest[] = []
  let wake = () => {}
  let destroyed: BerthError | undefined
  let buffered = 0
  const messages = async function* () {
    for (;;) {
      while (inbox.length > 0) yield inbox.shift()!
      if (destroyed) throw destroyed
      await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  const stream: SessionStream = {
    messages: messages(),
    send: ({ frames = [] }) => {
      sent.push(frames.map(({ frame }) => frame?.case))
      return true
    },
    get bufferedMessages() {
      return buffered
    },
    end: () => undefined,
    destroy: (error) => {
      destroyed = error
      wake()
    },
  }
  return {
    stream,
    sent,
    stuff: (count: number) => (buffered = count),
    why: () => destroyed?.reason,
    receive: (...frames: NonNullable<Parameters<typeof makeFrames>>) => {
      inbox.push(makeFrames(...frames))
      wake()
    },
  }
}
const makeFrames = (...cases: ('hello' | 'heartbeat' | 'acquire' | 'nonsense')[]): SessionRequest =>
  create(SessionRequestSchema, {
    frames: cases.map((name, n): MessageInitShape<typeof ClientFrameSchema> => {
      if (name === 'hello') return { frame: { case: name, value: { gatewayId: 'gw' } } }
      if (name === 'heartbeat') return { frame: { case: name, value: {} } }
      if (name === 'nonsense') {
        const job = { modelId: 'm', tenant: 't'.repeat(999), correlationId: 'c'.repeat(999) }
        return { frame: { case: 'acquire', value: { jobId: `j${n}`, job, waitedMs: 70 } } }
      }
      const job = { modelId: 'm', route: '/v1/chat/completions' }
      return { frame: { case: name, value: { jobId: `j${n}`, job } } }
    }),
  })

const createServer = () => {
  const rig = createRig()
  rig.joinHost('h1', [pool('p1', { slotsTotal: 9 })])
  const clock = createSimClock()
  const terms = { leaseTtlMs: 1, maxOutstanding: 9 }
  const server = createSessionServer({
    clock,
    terms: { ...terms, heartbeatIntervalMs: 1_000, heartbeatTimeoutMs: 5_000 },
    maxBuffered: 10,
    coordinator: () => rig.coordinator,
  })
  const open = createStream()
  const accepted = server.accept(open.stream, createSilentLogger())
  return { rig, clock, server, accepted, ...open }
}

describe('a session', () => {
  it('sends what was told in one turn as one message', async () => {
    const { clock, server, sent } = createServer()
    server.send(1, { kind: 'heartbeat', term: 1 })
    server.send(1, { kind: 'revoked', leaseId: 'l' as never, reason: 'x' })
    await clock.advance(0)
    server.send(1, { kind: 'heartbeat', term: 1 })
    await clock.advance(0)
    expect(sent).toEqual([['heartbeat', 'revoked'], ['heartbeat']])
  })

  it('beats each second, and is dropped after 5 s without a frame', async () => {
    const { clock, server, sent, why, receive, accepted } = createServer()
    receive('hello')
    await clock.advance(3_000)
    receive('heartbeat')
    await clock.advance(5_000)
    expect([sent.length, why()]).toEqual([8, undefined])
    await clock.advance(1_000)
    expect(why()).toBe('CANCELLED')
    await accepted
    expect(server.size).toBe(0)
  })

  it('that does not read is dropped, not waited for', async () => {
    const { clock, server, stuff, why } = createServer()
    stuff(11)
    server.send(1, { kind: 'heartbeat', term: 1 })
    await clock.advance(0)
    expect(why()).toBe('SLOW_CONSUMER')
  })

  it.each([[['heartbeat'] as const], [['hello', 'hello'] as const]])(
    'that sends %s is ended: it begins with one Hello',
    async (frames) => {
      const { clock, receive, why } = createServer()
      receive(...frames)
      await clock.advance(0)
      expect(why()).toBe('INVALID_PARAMS')
    },
  )

  it('tells the coordinator everything that came, and that it is over', async () => {
    const { rig, clock, receive, stream, accepted } = createServer()
    receive('hello', 'acquire')
    await clock.advance(0)
    expect(rig.coordinator.core.leases.byId.size).toBe(1)
    stream.destroy(new BerthError('CANCELLED', 'The gateway is gone.'))
    await accepted
    expect(rig.coordinator.core.sessions.size).toBe(0)
  })

  it('counts a job that makes no sense as refused, and lives on', async () => {
    const { rig, clock, receive, why } = createServer()
    receive('hello', 'nonsense', 'acquire')
    await clock.advance(0)
    expect(rig.take(1)).toMatchObject([
      { kind: 'welcome' },
      { kind: 'rejected', jobId: 'j1', reason: 'INVALID_PARAMS', retryAfterMs: 0 },
      { kind: 'assigned', jobId: 'j2' },
    ])
    const ends = rig.events.filter(({ kind }) => kind === 'job_ended')
    expect(ends).toMatchObject([
      {
        ...{ outcome: 'rejected', reason: 'INVALID_PARAMS', queuedMs: 70 },
        job: { jobId: 'j1', modelId: 'm', correlationId: 'c'.repeat(128) },
      },
      { outcome: 'dispatched' },
    ])
    expect(why()).toBeUndefined()
  })
})
