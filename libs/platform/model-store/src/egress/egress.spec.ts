import { systemClock } from '@berth/runtime'
import { afterEach, describe, expect, it } from '@jest/globals'
import { startServer, type TestServer } from '../testing/start-server.ts'
import { isPublicAddress, resolveWithSystem, type Resolve } from './guard-lookup.ts'
import { checkAddress, readHostRules, type EgressOptions } from './host-rules.ts'
import { createHttpGet } from './http-get.ts'
import { readBody } from './read-body.ts'

const servers: TestServer[] = []
const serve = async (...args: Parameters<typeof startServer>): Promise<TestServer> => {
  const server = await startServer(...args)
  servers.push(server)
  return server
}
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

const allows = (options: EgressOptions, address: string, isRedirect = false): boolean =>
  !Error.isError(checkAddress(readHostRules(options), new URL(address), isRedirect))

describe('hosts that models may come from', () => {
  it.each([
    ['https://huggingface.co/a/b', true],
    ['https://us.aws.cdn.hf.co/x', true],
    ['https://registry.ollama.ai/v2/', true],
    ['https://huggingface.co:8443/', false],
    ['http://huggingface.co/', false],
    ['https://evilhuggingface.co/', false],
    ['https://huggingface.co.evil.org/', false],
    ['https://evil.r2.cloudflarestorage.com/x', false],
    ['ftp://huggingface.co/x', false],
    ['https://user@huggingface.co/', false],
    ['https://169.254.169.254/latest/meta-data', false],
  ])('are by default the Hub and the registry of Ollama: %s is %s', (address, expected) => {
    expect(allows({}, address)).toBe(expected)
  })

  it('are what settings name, each with its port and scheme', () => {
    const options = { hosts: ['mirror.example:8443', 'http://plain.example', '*.cdn.example'] }
    expect(allows(options, 'https://mirror.example:8443/x')).toBe(true)
    expect(allows(options, 'https://mirror.example/x')).toBe(false)
    expect(allows(options, 'http://plain.example/x')).toBe(true)
    expect(allows(options, 'http://mirror.example:8443/x')).toBe(false)
    expect(allows(options, 'https://a.b.cdn.example/x')).toBe(true)
    expect(allows(options, 'https://cdn.example/x')).toBe(false)
  })

  it('include rented storage only where an allowed host sends us there', () => {
    expect(allows({}, 'https://a.r2.cloudflarestorage.com/x', true)).toBe(true)
  })

  it('are refused as settings when they cannot be read', () => {
    expect(() => readHostRules({ hosts: ['https://a/path'] })).toThrow(
      expect.objectContaining({ reason: 'CONFIG_INVALID' }),
    )
  })
})

describe('addresses', () => {
  it.each([
    ...['127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1'],
    ...['0.0.0.0', '224.0.0.1', '255.255.255.255', '198.18.0.1', '::', '::1', 'fe80::1', 'fd00::1'],
    ...[
      '::ffff:10.0.0.1',
      '::ffff:7f00:1',
      '64:ff9b::a00:1',
      '2002:a00:1::',
      '2001:db8::1',
      'ff02::1',
    ],
    ...['0:0:0:0:0:ffff:192.168.0.1', 'fe80::1%eth0', '::127.0.0.1', 'no address', ''],
  ])('of no one on the internet are not public: %s', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })

  it.each(['1.1.1.1', '172.32.0.1', '2606:4700::1111', '::ffff:1.1.1.1'])('%s is', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })
})

const httpGet = (egress: EgressOptions, resolve: Resolve = resolveWithSystem, answerMs = 5_000) =>
  createHttpGet({
    rules: readHostRules({ ...egress, hasDefaults: false }),
    ...{ resolve, clock: systemClock(), answerMs },
  })
const signal = new AbortController().signal
const read = { maxBytes: 1_000, clock: systemClock(), silenceMs: 2_000 }

describe('a request to a source', () => {
  it('goes to a private host that settings name', async () => {
    const server = await serve((_, response) => response.end('here'))
    const get = httpGet({ privateHosts: [server.origin] })
    const answer = await get({ url: new URL(`${server.origin}/x`), signal })
    expect(await readBody(answer, read)).toEqual(Buffer.from('here'))
  })

  it('is refused where an allowed name has a private address, before anything is sent', async () => {
    const server = await serve((_, response) => response.end('secret'))
    const { port } = new URL(server.origin)
    const resolve: Resolve = async () => [{ address: '127.0.0.1', family: 4 }]
    const get = httpGet({ hosts: [`http://models.example:${port}`] }, resolve)
    const refusal = get({ url: new URL(`http://models.example:${port}/x`), signal })
    await expect(refusal).rejects.toMatchObject({
      reason: 'FORBIDDEN',
      message: expect.stringContaining('private address 127.0.0.1'),
    })
    expect(server.requests).toHaveLength(0)
  })

  it('is refused where one of several addresses of a name is private', async () => {
    const resolve: Resolve = async () => [
      { address: '1.1.1.1', family: 4 },
      { address: '::1', family: 6 },
    ]
    const get = httpGet({ hosts: ['models.example'] }, resolve)
    const refusal = get({ url: new URL('https://models.example/x'), signal })
    await expect(refusal).rejects.toMatchObject({ reason: 'FORBIDDEN' })
  })

  it('connects to the address that was checked: a name is asked for once', async () => {
    const server = await serve((_, response) => response.end('here'))
    const { port } = new URL(server.origin)
    const asked: string[] = []
    const resolve: Resolve = async (host) => {
      asked.push(host)
      // What a name that is rebound would say the second time.
      return [{ address: asked.length === 1 ? '127.0.0.1' : '169.254.169.254', family: 4 }]
    }
    const get = httpGet({ privateHosts: [`http://models.example:${port}`] }, resolve)
    const answer = await get({ url: new URL(`http://models.example:${port}/x`), signal })
    expect(await readBody(answer, read)).toEqual(Buffer.from('here'))
    expect(asked).toEqual(['models.example'])
  })

  it('is refused where a redirect leads to an allowed name with a private address', async () => {
    const inner = await serve((_, response) => response.end('secret'))
    const { port } = new URL(inner.origin)
    const outer = await serve((_, response) =>
      response.writeHead(302, { location: `http://models.example:${port}/x` }).end(),
    )
    const resolve: Resolve = async () => [{ address: '127.0.0.1', family: 4 }]
    const hosts = [`http://models.example:${port}`]
    const get = httpGet({ privateHosts: [outer.origin], hosts }, resolve)
    const refusal = get({ url: new URL(`${outer.origin}/x`), signal })
    await expect(refusal).rejects.toThrow('private address 127.0.0.1')
    expect(inner.requests).toHaveLength(0)
  })

  it('is refused for a private address that is written out, in any notation', async () => {
    const server = await serve((_, response) => response.end('secret'))
    const { port } = new URL(server.origin)
    const get = httpGet({ hosts: [`http://*:${port}`] })
    for (const host of ['127.0.0.1', '0x7f.1', '2130706433', '[::ffff:127.0.0.1]', 'localhost'])
      await expect(get({ url: new URL(`http://${host}:${port}/x`), signal })).rejects.toMatchObject(
        { reason: 'FORBIDDEN' },
      )
    expect(server.requests).toHaveLength(0)
  })

  it('is refused where a redirect leads to a host that is not allowed', async () => {
    const inner = await serve((_, response) => response.end('secret'))
    const outer = await serve((_, response) =>
      response.writeHead(302, { location: `${inner.origin}/admin` }).end(),
    )
    const get = httpGet({ privateHosts: [outer.origin] })
    const refusal = get({ url: new URL(`${outer.origin}/x`), signal })
    await expect(refusal).rejects.toMatchObject({
      reason: 'FORBIDDEN',
      message: expect.stringContaining(inner.host),
    })
    expect(inner.requests).toHaveLength(0)
  })

  it('ends a redirect loop', async () => {
    const server = await serve((_, response) => response.writeHead(307, { location: '/' }).end())
    const get = httpGet({ privateHosts: [server.origin] })
    const refusal = get({ url: new URL(`${server.origin}/x`), signal })
    await expect(refusal).rejects.toThrow('redirects more than 8 times')
    expect(server.requests).toHaveLength(9)
  })

  it('takes no credentials to another host', async () => {
    const storage = await serve((_, response) => response.end('bytes'))
    const hub = await serve((_, response) =>
      response.writeHead(302, { location: `${storage.origin}/blob` }).end(),
    )
    const get = httpGet({ privateHosts: [hub.origin, storage.origin] })
    const url = new URL(`${hub.origin}/x`)
    const answer = await get({ url, signal, authorization: 'Bearer secret' })
    expect(answer.isElsewhere).toBe(true)
    await readBody(answer, read)
    expect(hub.requests[0]?.headers.authorization).toBe('Bearer secret')
    expect(storage.requests[0]?.headers).not.toHaveProperty('authorization')
  })

  it('ends when nobody answers in time', async () => {
    const server = await serve(() => undefined)
    const get = httpGet({ privateHosts: [server.origin] }, resolveWithSystem, 50)
    const url = new URL(`${server.origin}/x`)
    await expect(get({ url, signal })).rejects.toThrow('did not answer within 50 ms')
  })

  it('ends an answer that drips, and one that is too long', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/long') return void response.end('x'.repeat(1_001))
      const drip = setInterval(() => response.write('x'), 5)
      response.on('close', () => clearInterval(drip))
    })
    const get = httpGet({ privateHosts: [server.origin] })
    const slow = await get({ url: new URL(`${server.origin}/slow`), signal })
    await expect(readBody(slow, { ...read, silenceMs: 60 })).rejects.toThrow('nothing more arrived')
    const long = await get({ url: new URL(`${server.origin}/long`), signal })
    await expect(readBody(long, read)).rejects.toThrow('more than 1000 bytes')
  })
})
