import { describe, expect, it } from '@jest/globals'
import { refuseOpenDoor } from './open-door.ts'

const openDoor =
  (host: string, insecure = false) =>
  () =>
    refuseOpenDoor({ setting: 'grpc_host', host, insecure })

describe('a door without authentication', () => {
  it.each(['127.0.0.1', '127.8.8.8', '::1', '[::1]', 'localhost'])('may stand on %s', (host) => {
    expect(openDoor(host)).not.toThrow()
  })

  it.each(['0.0.0.0', '::', '10.0.0.7', '127.0.0.1.example.com', 'gpu-1'])(
    'may stand on %s only when told so',
    (host) => {
      expect(openDoor(host)).toThrow(
        expect.objectContaining({
          reason: 'CONFIG_INVALID',
          message: expect.stringContaining(`grpc_host ${host} can be reached`),
        }),
      )
      expect(openDoor(host, true)).not.toThrow()
    },
  )
})
