import { createHash, randomBytes } from 'node:crypto'
import {
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { FetchProgress } from './model-store.ts'
import { createTestStore, startFakeHub, type FakeHub, type TestStore } from './testing/index.ts'

const COMMIT = '0123456789abcdef0123456789abcdef01234567'
const weights = randomBytes(300_000)
const large = (body: Buffer) => ({ body, isLarge: true, etag: '"one"' })
const small = (text: string) => ({ body: Buffer.from(text) })

let hub: FakeHub
let store: TestStore

const open = (options: Parameters<typeof createTestStore>[1] = {}) =>
  createTestStore([hub, hub.storage], { env: { HF_ENDPOINT: hub.origin }, ...options })

beforeEach(async () => {
  hub = await startFakeHub({
    'acme/tiny': {
      commit: COMMIT,
      files: {
        'config.json': small('{"model_type":"llama"}'),
        'tokenizer.json': small('{}'),
        'model.safetensors': large(weights),
        'original/consolidated.pth': large(randomBytes(10)),
      },
    },
    'acme/tiny-GGUF': {
      commit: COMMIT,
      files: {
        'tiny-Q4_K_M.gguf': large(randomBytes(1000)),
        'tiny-IQ4_K_M.gguf': large(randomBytes(1001)),
        'big/tiny-Q8_0-00001-of-00002.gguf': large(randomBytes(1002)),
        'big/tiny-Q8_0-00002-of-00002.gguf': large(randomBytes(1003)),
      },
    },
  })
  store = await open()
})

afterEach(async () => {
  await store.dispose()
  await hub.close()
})

describe('a repository of the Hub', () => {
  it('comes as a snapshot in the layout of its own cache, with what an engine reads', async () => {
    const model = await store.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
    const repository = join(store.hubDir, 'models--acme--tiny')
    expect(model).toMatchObject({
      ...{ kind: 'snapshot', isComplete: true, revision: COMMIT, ref: 'hf:acme/tiny' },
      path: join(repository, 'snapshots', COMMIT),
    })
    expect(await readFile(join(repository, 'refs/main'), 'utf8')).toBe(COMMIT)
    expect((await readFile(join(model.path, 'model.safetensors'))).equals(weights)).toBe(true)
    expect(await readlink(join(model.path, 'model.safetensors'))).toMatch(
      /^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/,
    )
    await expect(lstat(join(model.path, 'original'))).rejects.toThrow('ENOENT')
  })

  it('is fetched once: what is here is not asked for again', async () => {
    await store.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
    const asked = hub.requests.length
    const again = await store.ensurePresent('hf:acme/tiny@main', { want: 'snapshot' })
    expect(again.isComplete).toBe(true)
    expect(hub.requests).toHaveLength(asked)
  })

  it('tells bytes and a total, and ends with all of them', async () => {
    const seen: FetchProgress[] = []
    await store.ensurePresent('hf:acme/tiny', {
      want: 'snapshot',
      onProgress: (progress) => seen.push(progress),
    })
    const total = weights.length + 22 + 2
    expect(seen.at(-1)).toEqual({ bytesDone: total, bytesTotal: total, step: 'ready' })
  })

  it('gives a GGUF by its quantization, with all its parts', async () => {
    const one = await store.ensurePresent('hf:acme/tiny-GGUF:q4_k_m', { want: 'gguf' })
    expect(one).toMatchObject({ kind: 'file', sizeBytes: 1000 })
    expect(one.path).toMatch(/tiny-Q4_K_M\.gguf$/)
    expect(one.digest).toMatch(/^sha256:[0-9a-f]{64}$/)
    const parts = await store.ensurePresent('hf:acme/tiny-GGUF:Q8_0', { want: 'gguf' })
    expect(parts.sizeBytes).toBe(2005)
    expect(parts.path).toMatch(/00001-of-00002\.gguf$/)
  })

  it('chooses no quantization, but names those there are', async () => {
    const refusal = store.ensurePresent('hf:acme/tiny-GGUF', { want: 'gguf' })
    await expect(refusal).rejects.toMatchObject({
      reason: 'INVALID_PARAMS',
      message: expect.stringContaining('tiny-IQ4_K_M.gguf'),
    })
  })
})

describe('what the Hub refuses', () => {
  it('[001-LDR-7] [003-FR-025] is told as a failed login, with what to set, on a 401', async () => {
    hub.repositories['acme/tiny']!.token = 'hf_right'
    const refusal = store.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
    await expect(refusal).rejects.toMatchObject({
      reason: 'UNAUTHENTICATED',
      message: expect.stringMatching(/401.*HF_TOKEN/),
    })
  })

  it('[003-FR-025] is told with the page where its terms are accepted, on a 403', async () => {
    hub.repositories['acme/tiny']!.isGated = true
    const refusal = store.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
    await expect(refusal).rejects.toMatchObject({
      reason: 'FORBIDDEN',
      message: expect.stringContaining(`Accept its terms at ${hub.origin}/acme/tiny`),
    })
  })

  it.each([
    ['hf:acme/none', 'there is no acme/none'],
    ['hf:acme/tiny@v9', 'has no revision v9'],
    ['hf:acme/tiny:none.safetensors', 'holds no file that fits "none.safetensors"'],
  ])('[001-LDR-8] [003-FR-025] is told as a model that is not there: %s', async (ref, fact) => {
    const mine = await open({ env: { HF_ENDPOINT: hub.origin, HF_TOKEN: 'hf_any' } })
    const refusal = mine.ensurePresent(ref, { want: 'snapshot' })
    await expect(refusal).rejects.toMatchObject({
      reason: 'MODEL_NOT_FOUND',
      message: expect.stringContaining(fact),
    })
    await mine.dispose()
  })

  it('[001-LDR-5] is passed by a token of the environment or of a file, which goes to the Hub alone', async () => {
    hub.repositories['acme/tiny']!.token = 'hf_right'
    const file = join(store.root, 'token')
    await writeFile(file, 'hf_right\n')
    for (const variable of [{ HF_TOKEN: 'hf_right' }, { HF_TOKEN_PATH: file }]) {
      const mine = await open({ env: { HF_ENDPOINT: hub.origin, ...variable } })
      const model = await mine.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
      expect(model.isComplete).toBe(true)
      await mine.dispose()
    }
    expect(hub.storage.requests).toHaveLength(2)
    for (const { headers } of hub.storage.requests)
      expect(headers).not.toHaveProperty('authorization')
  })

  it('[001-LDR-5] is found before the Hub is asked where the token cannot be one', async () => {
    const secret = 'hf_right\nX-Injected: 1'
    const mine = await open({ env: { HF_ENDPOINT: hub.origin, HF_TOKEN: secret } })
    const refusal = await mine
      .ensurePresent('hf:acme/tiny', { want: 'snapshot' })
      .catch((error: unknown) => error as Error)
    expect(refusal).toMatchObject({ reason: 'UNAUTHENTICATED' })
    expect((refusal as Error).message).not.toContain('hf_right')
    expect(hub.requests).toHaveLength(0)
    await mine.dispose()
  })
})

describe('files of the Hub', () => {
  it('are refused when their content is not what the list says', async () => {
    const { files } = hub.repositories['acme/tiny']!
    files['model.safetensors'] = { ...large(weights), claimedSha256: 'a'.repeat(64) }
    const refusal = store.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
    await expect(refusal).rejects.toMatchObject({ reason: 'UNTRUSTED_ARTIFACT' })
    expect(await store.find('hf:acme/tiny', { want: 'snapshot' })).toBeUndefined()
  })

  it('are fetched again while they are shorter than the list says, then given up', async () => {
    hub.repositories['acme/tiny']!.files['model.safetensors']!.endsAfterBytes = 200_000
    const refusal = store.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
    await expect(refusal).rejects.toMatchObject({
      reason: 'MODEL_LOAD_FAILED',
      message: expect.stringContaining('200000 of 300000 bytes are here'),
      facts: { bytes_done: 200_000, bytes_total: 300_000 },
    })
  })

  it.each(['../../../escape', '/etc/cron.d/x', 'a/../../../b', 'C:/x', 'a\\..\\b'])(
    'are refused when a name would lead elsewhere: %s',
    async (path) => {
      hub.repositories['acme/tiny']!.files[path] = small('evil')
      const refusal = store.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
      await expect(refusal).rejects.toMatchObject({ reason: 'UNTRUSTED_ARTIFACT' })
    },
  )

  it('are all found, in however many lists', async () => {
    Object.assign(hub.repositories['acme/tiny']!, { pageSize: 1 })
    const model = await store.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
    expect((await readdir(model.path)).sort()).toEqual([
      ...['config.json', 'model.safetensors', 'tokenizer.json'],
    ])
  })

  it('are refused where their list goes on elsewhere, for a token would go there too', async () => {
    const nextOrigin = hub.storage.origin
    Object.assign(hub.repositories['acme/tiny']!, { pageSize: 1, nextOrigin })
    const refusal = store.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
    await expect(refusal).rejects.toMatchObject({ reason: 'FORBIDDEN' })
    expect(hub.storage.requests).toHaveLength(0)
  })

  it('are chosen by patterns', async () => {
    const model = await store.ensurePresent('hf:acme/tiny', {
      want: 'snapshot',
      allow: ['*.json', '*.pth'],
      ignore: ['tokenizer*'],
    })
    const names = await readdir(model.path, { recursive: true })
    expect(names.sort()).toEqual(['config.json', 'original', 'original/consolidated.pth'])
  })

  it('go with their repository, except what another revision has too', async () => {
    await store.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
    Object.assign(hub.repositories['acme/tiny']!, { commit: 'f'.repeat(40) })
    hub.repositories['acme/tiny']!.files['config.json'] = small('{"model_type":"other"}')
    await store.ensurePresent('hf:acme/tiny', { want: 'snapshot', isRefresh: true })
    expect(await store.remove(`hf:acme/tiny@${COMMIT}`)).toBe(22)
    const after = await store.ensurePresent('hf:acme/tiny', { want: 'snapshot', isOffline: true })
    expect((await readFile(join(after.path, 'model.safetensors'))).equals(weights)).toBe(true)
    expect(await store.remove('hf:acme/tiny')).toBe(after.sizeBytes)
    expect(await readdir(store.hubDir)).toEqual([])
  })

  it('change with their branch when that is asked for, and the old ones stay', async () => {
    const before = await store.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
    const changed = randomBytes(1000)
    Object.assign(hub.repositories['acme/tiny']!, { commit: 'f'.repeat(40) })
    hub.repositories['acme/tiny']!.files['model.safetensors'] = large(changed)
    const kept = await store.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
    expect(kept.revision).toBe(COMMIT)
    const after = await store.ensurePresent('hf:acme/tiny', { want: 'snapshot', isRefresh: true })
    expect(after.revision).toBe('f'.repeat(40))
    expect((await readFile(join(after.path, 'model.safetensors'))).equals(changed)).toBe(true)
    expect((await readFile(join(before.path, 'model.safetensors'))).equals(weights)).toBe(true)
    expect((await store.list()).map(({ ref }) => ref).sort()).toEqual([
      'hf:acme/tiny',
      `hf:acme/tiny@${COMMIT}`,
    ])
  })
})

describe('without network', () => {
  const offline = (root: string) => open({ root, isOffline: () => true })

  it('[001-LDR-6] [003-FR-024] gives a complete snapshot and asks nobody', async () => {
    await store.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
    const asked = hub.requests.length
    const mine = await offline(store.root)
    const model = await mine.ensurePresent('hf:acme/tiny', { want: 'snapshot', isRefresh: true })
    expect(model).toMatchObject({ isComplete: true, revision: COMMIT })
    expect(hub.requests).toHaveLength(asked)
    await mine.dispose()
  })

  it('[001-LDR-6] [003-FR-024] [003-UT-010] refuses what is not there, and asks nobody', async () => {
    const mine = await offline(store.root)
    const refusal = mine.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
    await expect(refusal).rejects.toMatchObject({
      reason: 'MODEL_NOT_FOUND',
      message: expect.stringMatching(/airgapped.*not complete in the store/),
    })
    expect(hub.requests).toHaveLength(0)
    await mine.dispose()
  })

  it('[003-FR-024] refuses a snapshot of which a file is gone', async () => {
    const model = await store.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
    await rm(await realpath(join(model.path, 'model.safetensors')))
    const mine = await offline(store.root)
    const refusal = mine.ensurePresent('hf:acme/tiny', { want: 'snapshot' })
    await expect(refusal).rejects.toMatchObject({ reason: 'MODEL_NOT_FOUND' })
    await mine.dispose()
  })

  const carry = async (files: Record<string, string>) => {
    const repository = join(store.hubDir, 'models--acme--carried')
    const snapshot = join(repository, 'snapshots', COMMIT)
    await mkdir(join(repository, 'refs'), { recursive: true })
    await mkdir(snapshot, { recursive: true })
    await writeFile(join(repository, 'refs/main'), COMMIT)
    for (const [name, text] of Object.entries(files)) await writeFile(join(snapshot, name), text)
  }
  const index = JSON.stringify({ weight_map: { a: 'm-1.safetensors', b: 'm-2.safetensors' } })
  const carried = {
    ...{ 'config.json': '{}', 'tokenizer.json': '{}', 'model.safetensors.index.json': index },
    ...{ 'm-1.safetensors': 'one', 'm-2.safetensors': 'two' },
  }

  it('takes a complete snapshot that was carried there, and never collects it', async () => {
    await carry(carried)
    const mine = await offline(store.root)
    const model = await mine.ensurePresent('hf:acme/carried', { want: 'snapshot' })
    expect(model).toMatchObject({ isComplete: true, isPinned: true, revision: COMMIT })
    expect(await mine.collect({ needBytes: 1 })).toEqual({ freedBytes: 0, removed: [] })
    await mine.dispose()
  })

  it('holds a file that was carried there against the digest it must have', async () => {
    await carry({ 'tiny.gguf': 'GGUF' })
    const digest = `sha256:${createHash('sha256').update('GGUF').digest('hex')}`
    const mine = await offline(store.root)
    const model = await mine.ensurePresent('hf:acme/carried', { want: 'gguf', digest })
    expect(model).toMatchObject({ kind: 'file', digest })
    const other = `sha256:${'0'.repeat(64)}`
    const refusal = mine.ensurePresent('hf:acme/carried', { want: 'gguf', digest: other })
    await expect(refusal).rejects.toMatchObject({ reason: 'UNTRUSTED_ARTIFACT' })
    await mine.dispose()
  })

  it('lists a snapshot that was carried there, and removes it by name', async () => {
    await carry(carried)
    const [model] = await store.list()
    expect(model).toMatchObject({ ref: `hf:acme/carried@${COMMIT}`, isComplete: true })
    expect(await store.remove(model!.ref)).toBe(model!.sizeBytes)
    expect(await readdir(store.hubDir)).toEqual([])
  })

  it.each(['config.json', 'tokenizer.json', 'm-2.safetensors'])(
    '[003-FR-024] takes no snapshot that was carried there without %s',
    async (lost) => {
      await carry(Object.fromEntries(Object.entries(carried).filter(([name]) => name !== lost)))
      const mine = await offline(store.root)
      const refusal = mine.ensurePresent('hf:acme/carried', { want: 'snapshot' })
      await expect(refusal).rejects.toMatchObject({ reason: 'MODEL_NOT_FOUND' })
      await mine.dispose()
    },
  )
})
