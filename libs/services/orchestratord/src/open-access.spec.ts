import { describe, expect, it } from '@jest/globals'
import { startGateway } from './testing/gateway-rig.ts'
import { makeKeyFile } from './testing/key-file.ts'

/** Loopback, but spelt so that a gateway takes it for an address that others can reach. */
const OFF_LOOPBACK = '127.1'
const NOWHERE = ['127.0.0.1:1']
const start = (settings: Parameters<typeof startGateway>[1]) =>
  startGateway(NOWHERE, { isWithoutCore: true, ...settings })
const containing = (text: string) => expect.stringContaining(text) as unknown

describe('a gateway', () => {
  it.each([
    ['off loopback without keys', { httpHost: '0.0.0.0' }],
    ['off loopback that is told to ask for none', { httpHost: '::', auth: 'none' as const }],
    ['that is told to ask for keys, and has no file', { auth: 'keys' as const }],
  ])('does not start %s, and says how to make a key', async (_what, settings) => {
    await expect(start(settings)).rejects.toMatchObject({
      reason: 'CONFIG_INVALID',
      message: containing('berth keys new'),
    })
  })

  it('does not start with a file that holds no key', async () => {
    using file = makeKeyFile()
    await expect(start({ keysFile: file.path })).rejects.toMatchObject({
      message: containing('has no key. Make a key'),
    })
  })

  it('does not start with a file that is wrong, and lists what is', async () => {
    using file = makeKeyFile({ key: 'a', id: 'no spaces' }, { key: 'b', scopes: [] })
    await expect(start({ keysFile: file.path })).rejects.toMatchObject({
      reason: 'CONFIG_INVALID',
      message: expect.stringMatching(/keys\[0\]\.id: [^]*keys\[1\]\.scopes: /) as unknown,
    })
  })

  it('does not guess what settings mean that contradict each other', async () => {
    using file = makeKeyFile({ key: 'a' })
    await expect(start({ auth: 'none', keysFile: file.path })).rejects.toMatchObject({
      message: containing('contradict'),
    })
  })

  it('asks for nothing on loopback unless told otherwise', async () => {
    await using gateway = await start({})
    expect((await fetch(`${gateway.url}/v1/version`)).status).toBe(200)
  })

  it('starts off loopback without keys when told that it may stand open', async () => {
    await using gateway = await start({ httpHost: OFF_LOOPBACK, insecure: true })
    expect((await fetch(`${gateway.url}/v1/version`)).status).toBe(200)
  })

  it('off loopback shows metrics to operators only, and health to everyone', async () => {
    using file = makeKeyFile({ key: 'ops', scopes: ['operator'] }, { key: 'app' })
    await using gateway = await start({ httpHost: OFF_LOOPBACK, keysFile: file.path })
    const statusOf = async (path: string, key?: string) =>
      (await fetch(gateway.url + path, key ? { headers: { 'x-api-key': key } } : {})).status
    expect(await statusOf('/healthz')).toBe(200)
    expect(await statusOf('/metrics')).toBe(401)
    expect(await statusOf('/metrics', 'app')).toBe(403)
    expect(await statusOf('/metrics', 'ops')).toBe(200)
  })
})
