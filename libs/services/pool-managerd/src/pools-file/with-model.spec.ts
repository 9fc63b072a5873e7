import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { llamacppDriver } from '@berth/drivers'
import type { PoolSpec } from './pool-spec.ts'
import { checkNewModel } from './with-model.ts'

let folder: string
let modelRoot: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-root-'))
  modelRoot = join(folder, 'models')
  await mkdir(modelRoot)
  for (const name of ['models/tiny.gguf', 'secret.gguf']) await writeFile(join(folder, name), '')
  await symlink('tiny.gguf', join(modelRoot, 'alias.gguf'))
  await symlink('../secret.gguf', join(modelRoot, 'link.gguf'))
  await symlink(modelRoot, join(folder, 'root-by-link'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const check = (ref: string, root = modelRoot) => {
  const engine = { engine: 'llamacpp', mode: 'managed', slots: 1, contextLength: 64, options: {} }
  const spec = { poolId: 'a', modelRoot: root, modelRef: 'old.gguf', engine }
  return checkNewModel(spec as unknown as PoolSpec, ref, llamacppDriver)
}

it('a model of a command may be a link that stays below the root, itself a link or not', () => {
  for (const root of [modelRoot, join(folder, 'root-by-link')])
    for (const ref of ['file:alias.gguf', 'tiny.gguf', 'file:none.gguf'])
      expect(() => check(ref, root)).not.toThrow()
})

it.each(['file:link.gguf', 'link.gguf', '/etc/passwd', 'file:../secret.gguf'])(
  'a model of a command is not %s, which leads out of the root',
  (ref) => {
    expect(() => check(ref)).toThrow(/is not below model_root/)
  },
)
