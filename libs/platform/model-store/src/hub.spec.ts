import { randomBytes } from 'node:crypto'
import { lstat, readFile, readlink } from 'node:fs/promises'
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
    expect(await readFile(join(model.path, 'model.safetensors'))).toEqual(weights)
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
