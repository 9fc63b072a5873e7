import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { ModelStoreOptions } from './store-options.ts'
import {
  createTestStore,
  startFakeRegistry,
  startServer,
  type FakeRegistry,
  type TestStore,
} from './testing/index.ts'

const gguf = randomBytes(200_000)
const OLLAMA = 'application/vnd.ollama.image.model'
const DOCKER = 'application/vnd.docker.ai.gguf.v3'
const RAW = 'application/vnd.cncf.model.weight.v1.raw'

let registry: FakeRegistry
let store: TestStore
const stores: TestStore[] = []
const open = async (options: Partial<ModelStoreOptions> = {}) => {
  const opened = await createTestStore([registry, registry.storage], options)
  stores.push(opened)
  return opened
}
const ensure = (ref: string, want: 'gguf' | 'snapshot' = 'gguf', at = store) =>
  at.ensurePresent(ref, { want })

beforeEach(async () => {
  registry = await startFakeRegistry({
    'library/tiny:latest': [
      { mediaType: OLLAMA, body: gguf, etag: '"one"' },
      { mediaType: 'application/vnd.ollama.image.license', body: Buffer.from('MIT') },
    ],
    'acme/tiny:v1': [{ mediaType: DOCKER, body: gguf, etag: '"one"' }],
    'acme/parts:v1': [
      { mediaType: DOCKER, body: randomBytes(10), title: 'm-00002-of-00002.gguf' },
      { mediaType: DOCKER, body: randomBytes(20), title: 'm-00001-of-00002.gguf' },
    ],
    'acme/repo:v1': [
      { mediaType: RAW, body: randomBytes(100), title: 'model.safetensors' },
      { mediaType: RAW, body: Buffer.from('{}'), title: 'sub/config.json' },
    ],
    'acme/archive:v1': [{ mediaType: 'application/x.tar+gzip', body: gguf, title: 'm.tar' }],
    'acme/evil:v1': [{ mediaType: RAW, body: gguf, title: '../../../evil' }],
  })
  store = await open()
})

afterEach(async () => {
  await Promise.all(stores.splice(0).map((each) => each.dispose()))
  await registry.close()
})

describe('a model of a registry like that of Ollama', () => {
  const ref = () => `ollama:${registry.host}/library/tiny`

  it('is the one GGUF of its manifest, verified by its digest', async () => {
    const model = await ensure(ref())
    expect(model).toMatchObject({ kind: 'file', sizeBytes: gguf.length, isComplete: true })
    expect(model.path).toMatch(/model\.gguf$/)
    expect((await readFile(model.path)).equals(gguf)).toBe(true)
  })

  it('goes on where the connection was cut', async () => {
    registry.artifacts['library/tiny:latest']![0]!.cutAfterBytes = [150_000]
    await ensure(ref())
    expect(registry.storage.requests.map(({ headers }) => headers.range)).toEqual([
      undefined,
      expect.stringMatching(/^bytes=\d+-$/),
    ])
  })

  it('is refused when the content is another', async () => {
    const [layer, ...rest] = registry.artifacts['library/tiny:latest']!
    const claimed = { ...layer!, claimedDigest: `sha256:${'b'.repeat(64)}` }
    registry.artifacts['library/tiny:latest'] = [claimed, ...rest]
    await expect(ensure(ref())).rejects.toMatchObject({ reason: 'UNTRUSTED_ARTIFACT' })
  })

  it('is refused when it is not there, and for engines that read repositories', async () => {
    await expect(ensure(`${ref()}:none`)).rejects.toMatchObject({ reason: 'MODEL_NOT_FOUND' })
    await expect(ensure(ref(), 'snapshot')).rejects.toMatchObject({ reason: 'INVALID_PARAMS' })
  })
})

describe('an artifact of an OCI registry', () => {
  it('gives its GGUF, which another name with the same content shares', async () => {
    const one = await ensure(`oci:${registry.host}/acme/tiny:v1`)
    expect((await readFile(one.path)).equals(gguf)).toBe(true)
    const asked = registry.storage.requests.length
    const two = await ensure(`ollama:${registry.host}/library/tiny`)
    expect(two.path).toBe(one.path)
    expect(registry.storage.requests).toHaveLength(asked)
    expect(await store.remove(one.ref)).toBe(0)
    expect((await readFile(two.path)).equals(gguf)).toBe(true)
    expect(await store.remove(two.ref)).toBe(gguf.length)
  })

  it('gives all parts of a GGUF, the first of them to the engine', async () => {
    const model = await ensure(`oci:${registry.host}/acme/parts:v1`)
    expect(model).toMatchObject({ kind: 'file', sizeBytes: 30 })
    expect(model.path).toMatch(/m-00001-of-00002\.gguf$/)
  })

  it('gives its files by their titles', async () => {
    const model = await ensure(`oci:${registry.host}/acme/repo:v1`, 'snapshot')
    expect((await readdir(model.path, { recursive: true })).sort()).toEqual([
      ...['model.safetensors', 'sub', join('sub', 'config.json')],
    ])
  })

  it('is bound by a digest', async () => {
    const digest = registry.digestOf('acme/tiny:v1')
    const model = await ensure(`oci:${registry.host}/acme/tiny@${digest}`)
    expect(model.isComplete).toBe(true)
  })

  it('is refused when its manifest has another digest', async () => {
    const digest = registry.digestOf('acme/tiny:v1')
    const { digestOf } = registry
    registry.digestOf = () => digest
    registry.artifacts['acme/tiny:v1']![0] = { mediaType: DOCKER, body: randomBytes(9) }
    const refusal = ensure(`oci:${registry.host}/acme/tiny@${digest}`)
    await expect(refusal).rejects.toMatchObject({ reason: 'UNTRUSTED_ARTIFACT' })
    registry.digestOf = digestOf
  })

  it('is not looked for in indexes without end', async () => {
    const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`
    const bodies = new Map<string, string>()
    let next = JSON.stringify({ layers: [] })
    for (let index = 0; index < 50; index++) {
      bodies.set(digestOf(next), next)
      const inner = { mediaType: 'index', digest: digestOf(next), size: next.length }
      next = JSON.stringify({ manifests: [inner] })
    }
    bodies.set('v1', next)
    const server = await startServer((request, response) =>
      response.end(bodies.get(request.url?.split('/').at(-1) ?? '')),
    )
    const mine = await createTestStore([server])
    stores.push(mine)
    await expect(ensure(`oci:${server.host}/acme/deep:v1`, 'gguf', mine)).rejects.toMatchObject({
      ...{ reason: 'MODEL_NOT_FOUND', message: expect.stringContaining('index') },
    })
    expect(server.requests.length).toBeLessThan(5)
    await server.close()
  })

  it('is refused as an archive, and where a title leads elsewhere', async () => {
    for (const name of ['archive', 'evil'])
      await expect(
        ensure(`oci:${registry.host}/acme/${name}:v1`, 'snapshot'),
      ).rejects.toMatchObject({
        reason: 'MODEL_NOT_FOUND',
        message: expect.stringContaining('a layer that cannot be used as a file'),
      })
  })
})

describe('a registry that wants to know who asks', () => {
  const credentialsOf = () => ({ username: 'me', password: 'secret' })

  it('gets a token of its token service, which storage never sees', async () => {
    registry.auth = 'bearer'
    const model = await ensure(`oci:${registry.host}/acme/tiny:v1`)
    expect(model.isComplete).toBe(true)
    expect(registry.requests.map(({ path }) => path.split('?')[0])).toContain('/token')
    for (const { headers } of registry.storage.requests)
      expect(headers).not.toHaveProperty('authorization')
  })

  it.each(['bearer', 'basic'] as const)(
    'gets the credentials of the settings (%s)',
    async (auth) => {
      Object.assign(registry, { auth, password: 'me:secret' })
      const refusal = ensure(`oci:${registry.host}/acme/tiny:v1`)
      await expect(refusal).rejects.toMatchObject({ reason: 'UNAUTHENTICATED' })
      const mine = await open({ credentialsOf })
      const model = await ensure(`oci:${registry.host}/acme/tiny:v1`, 'gguf', mine)
      expect(model.isComplete).toBe(true)
    },
  )
})
