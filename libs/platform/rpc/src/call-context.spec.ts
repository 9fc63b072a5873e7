import { EventEmitter } from 'node:events'
import { describe, expect, it } from '@jest/globals'
import { BerthError, seededRng } from '@berth/kernel'
import { createSimClock } from '@berth/kernel/testing'
import { Metadata } from '@grpc/grpc-js'
import { openCall, type OpenCall } from './call-context.ts'
import { recordLog } from './testing/echo-fleet.ts'

const DEADLINE_MS = 100

const start = (hasDeadline = true) => {
  const clock = createSimClock()
  const deadline = hasDeadline ? clock.wall() + DEADLINE_MS : Infinity
  const call = Object.assign(new EventEmitter(), {
    metadata: new Metadata(),
    getPeer: () => '127.0.0.1:1',
    getPath: () => '/test.Service/Method',
    getDeadline: () => deadline,
  })
  const calls = new Set<OpenCall>()
  const env = { log: recordLog(), clock, rng: seededRng(1), calls, refusal: () => undefined }
  return { clock, call, calls, open: openCall(call, false, env) }
}

describe('the context of a call', () => {
  it('says how long is left now, never less than nothing', async () => {
    const { clock, open } = start()
    expect(open.context.deadlineMs).toBe(100)
    await clock.advance(60)
    expect(open.context.deadlineMs).toBe(40)
    await clock.advance(60)
    expect(open.context.deadlineMs).toBe(0)
  })

  it('has no time left to tell when the caller set no deadline', () => {
    expect(start(false).open.context.deadlineMs).toBeUndefined()
  })

  it('is aborted as RPC_DEADLINE once the deadline passed, as CANCELLED before', async () => {
    const early = start()
    early.call.emit('cancelled')
    expect(early.open.context.signal.reason).toMatchObject({ reason: 'CANCELLED' })
    const late = start()
    await late.clock.advance(DEADLINE_MS)
    late.call.emit('cancelled')
    expect(late.open.context.signal.reason).toMatchObject({ reason: 'RPC_DEADLINE' })
  })

  it('is let go of when the handler is done', () => {
    const { call, calls, open } = start()
    expect([...calls]).toEqual([open])
    open.close()
    call.emit('cancelled')
    expect(calls.size).toBe(0)
    expect(open.context.signal.aborted).toBe(false)
    expect(call.listenerCount('cancelled')).toBe(0)
  })

  it('is aborted with what the server gives as its reason', () => {
    const { open } = start()
    open.abort(new BerthError('RPC_UNAVAILABLE', 'Shutting down.'))
    expect(open.context.signal.reason).toMatchObject({ reason: 'RPC_UNAVAILABLE' })
  })
})
