import { describe, expect, it } from '@jest/globals'
import { BerthError, messageOf } from './berth-error.ts'
import { CODES } from './code.ts'
import { CODE_OF_REASON, isReason } from './reason.ts'

describe('BerthError', () => {
  it('takes its code from its reason and keeps facts, retry and cause', () => {
    const cause = new Error('disk on fire')
    const error = new BerthError('INSUFFICIENT_DISK', 'No room.', {
      retryAfterMs: 1500,
      facts: { required_bytes: 10 },
      cause,
    })
    expect(error).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'INSUFFICIENT_DISK',
      retryAfterMs: 1500,
      facts: { required_bytes: 10 },
      cause,
    })
  })

  it('passes a BerthError through unchanged', () => {
    const error = new BerthError('POOL_UNREADY', 'Not yet.')
    expect(BerthError.from(error)).toBe(error)
  })

  it('hides what was thrown behind a generic message and keeps it as the cause', () => {
    const secret = new Error('password=hunter2')
    const error = BerthError.from(secret)
    expect(error.reason).toBe('INTERNAL')
    expect(error.message).not.toContain('hunter2')
    expect(error.cause).toBe(secret)
  })

  it('gives every reason one of the canonical codes', () => {
    for (const code of Object.values(CODE_OF_REASON)) expect(CODES).toContain(code)
    expect(isReason('POOL_UNREADY')).toBe(true)
    expect(isReason('toString')).toBe(false)
  })

  it('reads the message of anything thrown', () => {
    expect(messageOf(new Error('a'))).toBe('a')
    expect(messageOf('b')).toBe('b')
    expect(messageOf(undefined)).toBe('undefined')
  })
})
