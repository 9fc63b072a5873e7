import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createTestStore, type TestStore } from './testing/index.ts'

let folder: string
let models: string
let store: TestStore

const ensure = (ref: string, options: { want?: 'gguf' | 'snapshot'; digest?: string } = {}) =>
  store.ensurePresent(ref, { want: 'gguf', ...options })

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-files-'))
  models = join(folder, 'models')
  await mkdir(join(models, 'snapshot'), { recursive: true })
  await writeFile(join(models, 'tiny.gguf'), 'GGUF')
  await writeFile(join(models, 'snapshot/config.json'), '{}')
  await writeFile(join(folder, 'secret.gguf'), 'secret')
  store = await createTestStore([], { fileRoots: [models] })
})

afterEach(async () => {
  await store.dispose()
  await rm(folder, { recursive: true, force: true })
})

describe('a file of the operator’s', () => {
  it('is found below the folder of models, by a relative and by an absolute path', async () => {
    const path = join(models, 'tiny.gguf')
    const expected = { path, kind: 'file', sizeBytes: 4, isComplete: true, isOurs: false }
    expect(await ensure('file:tiny.gguf')).toMatchObject(expected)
    expect(await ensure(`file://${path}`)).toMatchObject(expected)
  })

  it('is a snapshot when it is a folder, which no GGUF engine takes', async () => {
    const model = await ensure('file:snapshot', { want: 'snapshot' })
    expect(model).toMatchObject({ kind: 'snapshot', sizeBytes: 2 })
    await expect(ensure('file:snapshot')).rejects.toMatchObject({ reason: 'INVALID_PARAMS' })
  })

  it('is refused outside the folder of models, be it there or not', async () => {
    for (const path of [join(folder, 'secret.gguf'), join(folder, 'nothing.gguf'), '/etc/passwd'])
      await expect(ensure(`file:${path}`)).rejects.toMatchObject({ reason: 'FORBIDDEN' })
  })

  it('is refused when a link leads out of the folder, of itself or on the way', async () => {
    await symlink(join(folder, 'secret.gguf'), join(models, 'link.gguf'))
    await symlink(folder, join(models, 'way'))
    await symlink(join(folder, 'secret.gguf'), join(models, 'snapshot/weights.safetensors'))
    for (const ref of ['file:link.gguf', 'file:way/secret.gguf'])
      await expect(ensure(ref)).rejects.toMatchObject({
        reason: 'FORBIDDEN',
        message: expect.stringContaining('a link leads out'),
      })
    const refusal = ensure('file:snapshot', { want: 'snapshot' })
    await expect(refusal).rejects.toMatchObject({ reason: 'FORBIDDEN' })
  })

  it('is no pipe, which would keep whoever reads it waiting', async () => {
    execFileSync('mkfifo', [join(models, 'pipe.gguf')])
    const digest = `sha256:${'0'.repeat(64)}`
    for (const options of [{}, { digest }])
      await expect(ensure('file:pipe.gguf', options)).rejects.toMatchObject({
        reason: 'INVALID_PARAMS',
      })
  })

  it('may be a link that stays inside', async () => {
    await symlink('tiny.gguf', join(models, 'alias.gguf'))
    expect(await ensure('file:alias.gguf')).toMatchObject({ sizeBytes: 4 })
  })

  it('is all its parts, and none when one is missing', async () => {
    await writeFile(join(models, 'm-00001-of-00002.gguf'), '123')
    const refusal = ensure('file:m-00001-of-00002.gguf')
    await expect(refusal).rejects.toMatchObject({ reason: 'MODEL_NOT_FOUND' })
    await writeFile(join(models, 'm-00002-of-00002.gguf'), '45')
    expect(await ensure('file:m-00001-of-00002.gguf')).toMatchObject({ sizeBytes: 5 })
  })

  it('has the digest it must have, also after it was replaced', async () => {
    const digest = `sha256:${createHash('sha256').update('GGUF').digest('hex')}`
    for (let time = 0; time < 2; time++)
      expect(await ensure('file:tiny.gguf', { digest })).toMatchObject({ digest })
    await writeFile(join(models, 'tiny.gguf'), 'EVIL')
    const refusal = ensure('file:tiny.gguf', { digest })
    await expect(refusal).rejects.toMatchObject({ reason: 'UNTRUSTED_ARTIFACT' })
  })

  it('is never removed by the store', async () => {
    await expect(store.remove('file:tiny.gguf')).rejects.toMatchObject({
      reason: 'UNSUPPORTED_OPERATION',
    })
    expect(await store.find('file:tiny.gguf', { want: 'gguf' })).toMatchObject({ isOurs: false })
  })
})
