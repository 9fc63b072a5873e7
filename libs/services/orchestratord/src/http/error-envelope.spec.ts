import { describe, expect, it } from '@jest/globals'
import { BerthError, CODE_OF_REASON, type CorrelationId, type Reason } from '@berth/kernel'
import { toErrorAnswer } from './error-envelope.ts'

const id = 'c-1' as CorrelationId
const answer = (reason: Reason, options = {}) =>
  toErrorAnswer(new BerthError(reason, 'What happened.', options), id)

describe('the error envelope', () => {
  it('tells every retriable 429 and 503 when to come back', () => {
    const reasons = Object.keys(CODE_OF_REASON) as Reason[]
    const busy = reasons
      .map((reason) => answer(reason))
      .filter(({ status, body }) => [429, 503].includes(status) && body.error['retriable'])
    expect(busy.length).toBeGreaterThan(5)
    for (const { headers } of busy) expect(headers).toMatchObject({ 'Retry-After': '1' })
  })

  it('rounds Retry-After up to whole seconds and keeps milliseconds beside it', () => {
    const { headers, body } = answer('POOL_UNAVAILABLE', { retryAfterMs: 1_001 })
    expect(headers).toEqual({ 'Retry-After': '2', 'X-Backoff-Ms': '1001' })
    expect(body.error['retry_after_ms']).toBe(1_001)
  })

  it('asks nobody to retry what failed to load', () => {
    const { status, headers, body } = answer('MODEL_LOAD_FAILED')
    expect([status, headers, body.error['retriable']]).toEqual([503, {}, false])
  })

  it('asks nobody to retry for a budget that does not refill', () => {
    const spent = answer('BUDGET_EXHAUSTED')
    expect(spent.headers).toEqual({ 'X-Should-Retry': 'false' })
    expect(spent.body.error).toMatchObject({ retriable: false })
    expect(spent.body.error).not.toHaveProperty('retry_after_ms')
    const refills = answer('BUDGET_EXHAUSTED', { retryAfterMs: 60_000 })
    expect(refills.headers).toMatchObject({ 'Retry-After': '60' })
    expect(refills.body.error).toMatchObject({ retriable: true })
  })

  it('lets no fact replace a field of its own', () => {
    const facts = { message: 'x', code: 'x', correlation_id: 'x', pool_id: 'p' }
    expect(answer('INVALID_PARAMS', { facts }).body.error).toMatchObject({
      message: 'What happened.',
      code: 'INVALID_PARAMS',
      correlation_id: id,
      pool_id: 'p',
    })
  })

  it('does not leak the reasons services tell each other', () => {
    expect(answer('BUS_UNAVAILABLE').body.error['code']).toBe('CONTROL_PLANE_UNAVAILABLE')
    expect(answer('RPC_FAILED').body.error['code']).toBe('INTERNAL')
  })
})
