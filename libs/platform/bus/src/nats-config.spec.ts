import { describe, expect, it } from '@jest/globals'
import { natsAccess } from './nats-config.ts'

const natsUrl = 'nats://nats:4222'

describe('access to NATS', () => {
  it('is the address alone, or with both parts of a proof', () => {
    expect(natsAccess({ natsUrl })).toEqual({ url: natsUrl })
    expect(natsAccess({ natsUrl, natsUser: 'core', natsPassword: 'p' })).toEqual({
      url: natsUrl,
      credentials: { user: 'core', password: 'p' },
    })
  })

  it.each([
    [{ natsUser: 'core' }, 'nats_password is not'],
    [{ natsPassword: 'p' }, 'nats_user is not'],
  ])('is refused with half a proof, %j', (half, message) => {
    expect(() => natsAccess({ natsUrl, ...half })).toThrow(
      expect.objectContaining({
        reason: 'CONFIG_INVALID',
        message: expect.stringContaining(message),
      }),
    )
  })
})
